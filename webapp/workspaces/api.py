"""Workspaces and their members over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Field, File, Form, Router, Schema, Status, UploadedFile

from webapp.accounts.access import is_bound, require_scope
from webapp.accounts.models import User
from webapp.accounts.services import create_invitation
from webapp.api import Body, ErrorReply
from webapp.errors import NotFound
from webapp.workspaces import access, preparing, selectors, services
from webapp.workspaces.models import Membership, Role, Workspace
from webapp.workspaces.preparing import url_source

router = Router(tags=["workspaces"])
ERRORS: dict[Any, Any] = {401: ErrorReply, 403: ErrorReply, 404: ErrorReply, 422: ErrorReply}


class WorkspaceOut(Schema):
    """A workspace as a member sees it."""

    id: int
    name: str = Field(examples=["flask"])
    description: str
    state: str = Field(examples=["ready"])
    state_note: str
    source_url: str
    created_at: datetime


class WorkspaceIn(Body):
    """A new workspace: empty, or imported from `url`."""

    name: str = Field(min_length=1, max_length=80, examples=["flask"])
    description: str = Field("", max_length=300)
    url: str = Field(
        "", max_length=500, description="https address of a git repository; empty for an empty one"
    )
    username: str = Field("", max_length=120, description="Of a private repository")
    token: str = Field("", max_length=1000, description="Of a private repository; never given back")


class WorkspaceChange(Body):
    """New name and description."""

    name: str = Field(min_length=1, max_length=80, examples=["flask"])
    description: str = Field("", max_length=300)


class DeleteIn(Body):
    """The workspace's name, to confirm."""

    confirmation: str = Field(max_length=80, examples=["flask"])


class MemberOut(Schema):
    """A member and their role."""

    user_id: int
    display_name: str
    handle: str
    role: str = Field(examples=["member"])
    joined_at: datetime

    @staticmethod
    def of(membership: Membership) -> dict[str, Any]:
        """Return the fields of a membership and its person."""
        user = membership.user
        return {
            "user_id": user.pk,
            "display_name": user.display_name,
            "handle": user.handle,
            "role": membership.role,
            "joined_at": membership.joined_at,
        }


class MemberIn(Body):
    """Who is to be a member, as what."""

    email: str = Field(max_length=254, examples=["ada@example.org"])
    role: Role = Role.MEMBER


class RoleIn(Body):
    """A role."""

    role: Role = Field(examples=["maintainer"])


@router.get("", response={200: list[WorkspaceOut], **ERRORS}, summary="List your workspaces")
def list_workspaces(request: HttpRequest) -> Any:
    """Return the workspaces you are in, by name."""
    return list(selectors.workspaces_of(require_scope(request, "read"))[:1000])


@router.post("", response={201: WorkspaceOut, **ERRORS}, summary="Create a workspace")
def create_workspace(request: HttpRequest, body: WorkspaceIn) -> Any:
    """Create an empty workspace, or import one; `state` tells when it is ready."""
    user = require_scope(request, "write")
    _refuse_bound_key(user)
    source = url_source(body.url, username=body.username, token=body.token)
    return Status(
        201,
        services.create_workspace(name=body.name, description=body.description, owner=user, source=source),
    )


@router.post("/upload", response={201: WorkspaceOut, **ERRORS}, summary="Create a workspace from an archive")
def upload_workspace(
    request: HttpRequest,
    archive: UploadedFile = File(...),
    name: str = Form(..., min_length=1, max_length=80, examples=["Requests"]),
) -> Any:
    """Create a workspace from a .zip or .tar.gz of at most 200 MB."""
    from webapp.errors import Invalid
    from webapp.workspaces.forms import MAX_UPLOAD_BYTES
    from webapp.workspaces.views import keep_upload

    user = require_scope(request, "write")
    _refuse_bound_key(user)
    file_name = archive.name or ""
    if (archive.size or 0) > MAX_UPLOAD_BYTES or not file_name.lower().endswith((".zip", ".tar.gz", ".tgz")):
        raise Invalid("Upload a .zip or a .tar.gz of at most 200 MB.")
    name = services.clean_name(name)  # before anything is kept on disk
    source = services.archive_source(keep_upload(archive), file_name)
    return Status(201, services.create_workspace(name=name, owner=user, source=source))


def _refuse_bound_key(user: User) -> None:
    # A key bound to one workspace could not even see what it had made.
    if is_bound(user):
        raise NotFound("This key is bound to one workspace.")


@router.get("/{int:workspace_id}", response={200: WorkspaceOut, **ERRORS}, summary="Get a workspace")
def get_workspace(request: HttpRequest, workspace_id: int) -> Any:
    """Return one workspace."""
    return access.workspace_for(require_scope(request, "read"), workspace_id)


@router.put("/{int:workspace_id}", response={200: WorkspaceOut, **ERRORS}, summary="Rename a workspace")
def change_workspace(request: HttpRequest, workspace_id: int, body: WorkspaceChange) -> Any:
    """Change name and description; for maintainers."""
    workspace = access.workspace_for(require_scope(request, "admin"), workspace_id, role=Role.MAINTAINER)
    services.update_workspace(workspace=workspace, name=body.name, description=body.description)
    return Workspace.objects.get(pk=workspace.pk)


@router.post(
    "/{int:workspace_id}/stop",
    response={200: WorkspaceOut, 409: ErrorReply, **ERRORS},
    summary="Stop preparing a workspace",
)
def stop_preparing(request: HttpRequest, workspace_id: int) -> Any:
    """Give the import of a repository or archive up while `state` is `preparing`; for maintainers. Nothing is left on disk."""
    user = require_scope(request, "write")
    workspace = access.workspace_for(user, workspace_id, role=Role.MAINTAINER)
    preparing.stop(workspace, stopped_by=user)
    return Workspace.objects.get(pk=workspace.pk)


@router.post("/{int:workspace_id}/delete", response={204: None, **ERRORS}, summary="Delete a workspace")
def delete_workspace(request: HttpRequest, workspace_id: int, body: DeleteIn) -> Any:
    """Delete a workspace for good; for owners."""
    workspace = access.workspace_for(require_scope(request, "admin"), workspace_id, role=Role.OWNER)
    services.delete_workspace(workspace=workspace, confirmation=body.confirmation)
    return Status(204, None)


@router.get("/{int:workspace_id}/members", response={200: list[MemberOut], **ERRORS}, summary="List members")
def list_members(request: HttpRequest, workspace_id: int) -> Any:
    """Return who is in the workspace."""
    workspace = access.workspace_for(require_scope(request, "read"), workspace_id)
    return [MemberOut.of(membership) for membership in selectors.members_of(workspace)]


@router.post("/{int:workspace_id}/members", response={201: MemberOut, **ERRORS}, summary="Add a member")
def add_member(request: HttpRequest, workspace_id: int, body: MemberIn) -> Any:
    """Add a person who has an account; for owners."""
    workspace = access.workspace_for(require_scope(request, "admin"), workspace_id, role=Role.OWNER)
    person = User.objects.filter(email=body.email.lower(), is_active=True).first()
    if person is None:
        raise NotFound("Nobody here has this address. Send an invitation link instead.")
    return Status(201, MemberOut.of(services.add_member(workspace=workspace, user=person, role=body.role)))


@router.put(
    "/{int:workspace_id}/members/{int:user_id}",
    response={200: MemberOut, 409: ErrorReply, **ERRORS},
    summary="Change a role",
)
def change_member(request: HttpRequest, workspace_id: int, user_id: int, body: RoleIn) -> Any:
    """Give a member another role; for owners."""
    workspace = access.workspace_for(require_scope(request, "admin"), workspace_id, role=Role.OWNER)
    return MemberOut.of(services.set_role(workspace=workspace, user_id=user_id, role=body.role))


@router.delete(
    "/{int:workspace_id}/members/{int:user_id}",
    response={204: None, 409: ErrorReply, **ERRORS},
    summary="Remove a member",
)
def remove_member(request: HttpRequest, workspace_id: int, user_id: int) -> Any:
    """Take a person out of the workspace; for owners, and for oneself."""
    user = require_scope(request, "admin")
    workspace = access.workspace_for(
        user, workspace_id, role=Role.VIEWER if user_id == user.pk else Role.OWNER
    )
    services.remove_member(workspace=workspace, user_id=user_id)
    return Status(204, None)


class WorkspaceInvitationIn(Body):
    """As what the person will join."""

    role: Role = Role.MEMBER
    email: str = Field("", max_length=254)


class WorkspaceInvitationOut(Schema):
    """An open invitation; `url` is given once, when it is made."""

    id: int
    role: str
    email: str
    expires_at: datetime
    url: str = ""


@router.get(
    "/{int:workspace_id}/invitations",
    response={200: list[WorkspaceInvitationOut], **ERRORS},
    summary="List invitations",
)
def list_invitations(request: HttpRequest, workspace_id: int) -> Any:
    """Return the invitations that still let somebody in; for owners."""
    workspace = access.workspace_for(require_scope(request, "admin"), workspace_id, role=Role.OWNER)
    return selectors.open_invitations(workspace)


@router.post(
    "/{int:workspace_id}/invitations",
    response={201: WorkspaceInvitationOut, **ERRORS},
    summary="Invite by link",
)
def invite(request: HttpRequest, workspace_id: int, body: WorkspaceInvitationIn) -> Any:
    """Make a link that lets one person sign up and join; for owners."""
    user = require_scope(request, "admin")
    workspace = access.workspace_for(user, workspace_id, role=Role.OWNER)
    invitation, token = create_invitation(
        invited_by=user, workspace=workspace, role=body.role, email=body.email
    )
    url = request.build_absolute_uri(reverse("invitation", args=[token]))
    fields = {name: getattr(invitation, name) for name in ("id", "role", "email", "expires_at")}
    return Status(201, {**fields, "url": url})


@router.delete(
    "/{int:workspace_id}/invitations/{int:invitation_id}",
    response={204: None, **ERRORS},
    summary="Revoke an invitation",
)
def revoke_invitation(request: HttpRequest, workspace_id: int, invitation_id: int) -> Any:
    """Make an invitation link useless; for owners."""
    workspace = access.workspace_for(require_scope(request, "admin"), workspace_id, role=Role.OWNER)
    if not workspace.invitations.filter(pk=invitation_id, used_at=None).delete()[0]:
        raise NotFound()
    return Status(204, None)
