"""Writes about workspaces and their members. How a repository comes into being stands in `preparing`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction

from webapp.accounts.models import User
from webapp.errors import Conflict, Invalid, NotFound
from webapp.events.publish import publish_on_commit
from webapp.events.registry import rights_lost, workspace_created
from webapp.vault import seal
from webapp.workspaces import events, preparing
from webapp.workspaces.models import Membership, Remote, Role, Workspace


def create_workspace(*, name: str, description: str = "", owner: User, source: preparing.Source) -> Workspace:
    """Return the new workspace; its repository is prepared in the background and `state` tells how far it is.

    Raises:
        Invalid: the name is empty.
    """
    with transaction.atomic():
        workspace = _create_rows(name=name, description=description, owner=owner, source=source)
        transaction.on_commit(lambda: preparing.start(workspace.pk, owner.pk, source))
    return workspace


def create_workspace_now(*, name: str, owner: User, source: preparing.Source) -> Workspace:
    """Return the new workspace with its repository ready: for the operator's command, which waits.

    Raises:
        PyAgentError: the repository could not be prepared; the rows are gone again.
    """
    with transaction.atomic():
        workspace = _create_rows(name=name, description="", owner=owner, source=source)
    try:
        preparing.prepare(workspace.pk, owner.pk, source)
    except Exception:
        workspace.delete()
        raise
    workspace.refresh_from_db()
    return workspace


def clean_name(name: str) -> str:
    """Return the name as it is stored: in one line, without what no database keeps.

    Raises:
        Invalid: it is empty.
    """
    clean = " ".join(name.replace("\0", "").split())
    if not clean:
        raise Invalid("A workspace needs a name.")
    return clean[:80]


def _create_rows(*, name: str, description: str, owner: User, source: preparing.Source) -> Workspace:
    workspace = Workspace.objects.create(
        name=clean_name(name),
        description=description.strip()[:300],
        created_by=owner,
        source_url=source.shown_url,
    )
    Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
    if source.shown_url.startswith("https://"):
        known = source.credential
        set_remote(
            workspace=workspace,
            name="origin",
            url=source.shown_url,
            username=known.username if known else "",
            token=known.password if known else None,
        )
    workspace_created(workspace)
    return workspace


@transaction.atomic
def update_workspace(*, workspace: Workspace, name: str, description: str) -> None:
    """Rename or describe the workspace."""
    workspace.name, workspace.description = clean_name(name), description.strip()[:300]
    workspace.save(update_fields=["name", "description"])
    publish_on_commit(
        workspace.pk,
        events.WorkspaceChanged(state=workspace.state, state_note=workspace.state_note, name=workspace.name),
    )


def delete_workspace(*, workspace: Workspace, confirmation: str) -> None:
    """Delete rows and files for good; `confirmation` must be the workspace's name.

    Raises:
        Invalid: the confirmation differs.
    """
    if confirmation.strip() != workspace.name:
        raise Invalid("Type the workspace's name to delete it.")
    workspace_id = workspace.pk
    with transaction.atomic():
        workspace.delete()
        transaction.on_commit(lambda: preparing.remove_files(workspace_id))


@transaction.atomic
def set_role(*, workspace: Workspace, user_id: int, role: str) -> Membership:
    """Give a member another role.

    Raises:
        NotFound: the person is not a member.
        Conflict: nobody would be owner any more.
    """
    if role not in Role.values:
        raise Invalid(f"Roles are {', '.join(Role.values)}.")
    membership = _membership(workspace, user_id)
    if membership.role == Role.OWNER and role != Role.OWNER:
        _refuse_last_owner(workspace, user_id)
    membership.role = role
    membership.save(update_fields=["role"])
    if role != Role.OWNER:
        _withdraw_invitations(workspace, user_id)
    if role == Role.VIEWER:
        rights_lost(user_id, workspace.pk)
    publish_on_commit(workspace.pk, events.MembershipChanged(user_id=user_id, role=role))
    return membership


@transaction.atomic
def remove_member(*, workspace: Workspace, user_id: int) -> None:
    """Take a person out of the workspace; their open tabs close.

    Raises:
        NotFound: the person is not a member.
        Conflict: nobody would be owner any more.
    """
    membership = _membership(workspace, user_id)
    if membership.role == Role.OWNER:
        _refuse_last_owner(workspace, user_id)
    membership.delete()
    rights_lost(user_id, workspace.pk)
    _withdraw_invitations(workspace, user_id)
    publish_on_commit(workspace.pk, events.MembershipChanged(user_id=user_id, role=""))


def _membership(workspace: Workspace, user_id: int) -> Membership:
    membership = Membership.objects.select_for_update().filter(workspace=workspace, user_id=user_id).first()
    if membership is None:
        raise NotFound("This person is not in the workspace.")
    return membership


def _withdraw_invitations(workspace: Workspace, user_id: int) -> None:
    # A link made in time would let somebody who invites no longer back in, with any role.
    workspace.invitations.filter(invited_by_id=user_id, used_at=None).delete()


def _refuse_last_owner(workspace: Workspace, user_id: int) -> None:
    if not Membership.objects.filter(workspace=workspace, role=Role.OWNER).exclude(user_id=user_id).exists():
        raise Conflict("A workspace needs an owner. Make somebody else owner first.")


@transaction.atomic
def add_member(*, workspace: Workspace, user: User, role: str) -> Membership:
    """Let a person who has an account in, or change nothing when they are in already."""
    membership, is_new = Membership.objects.get_or_create(
        workspace=workspace, user=user, defaults={"role": role}
    )
    if is_new:
        publish_on_commit(workspace.pk, events.MembershipChanged(user_id=user.pk, role=role))
    return membership


@transaction.atomic
def set_remote(
    *, workspace: Workspace, name: str, url: str, username: str = "", token: str | None = None
) -> Remote:
    """Store a remote; `token` None keeps the stored credential, "" forgets it.

    A credential is bound to where it is sent: when the address changes and no token is given, the stored one is dropped, so
    that nobody can have somebody else's sent to an address of their own.

    Raises:
        Invalid: the address is not https, or carries a credential itself.
    """
    preparing.check_url(url)
    fields: dict[str, Any] = {"url": url, "username": username}
    has_moved = not Remote.objects.filter(workspace=workspace, name=name, url=url).exists()
    if token is not None or has_moved:
        fields["sealed_token"] = seal(token) if token else None
    remote, _ = Remote.objects.update_or_create(workspace=workspace, name=name, defaults=fields)
    return remote


def archive_source(path: Path, file_name: str) -> preparing.Source:
    """Return the source for an archive at `path`; once read it is removed with the folder that holds it alone."""
    return preparing.Source(kind="archive", path=path, shown_url=f"upload:{Path(file_name).name[:200]}")
