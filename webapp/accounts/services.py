"""Writes about people: invitations, sign-up, API keys."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from webapp.accounts import events, selectors
from webapp.accounts.models import SCOPES, ApiKey, Invitation, User
from webapp.errors import Conflict, Invalid, NotFound
from webapp.events.publish import publish_to_person_on_commit
from webapp.events.registry import key_revoked, rights_lost
from webapp.workspaces.models import Membership, Role, Workspace

SESSION_KEY = "invitation"
JOINED_KEY = "joined_workspace_id"
INVITATION_DAYS = 14
KEY_PREFIX = "pya_"
MAX_KEYS = 200
"""Keys of one person that work at the same time."""
# A key's last use is written at most this often: reading with a key should not cost a write.
LAST_USED_STEP = timedelta(minutes=5)


def hash_token(token: str) -> str:
    """Return the SHA-256 of a random token, hex; tokens have 256 bits, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def create_invitation(
    *,
    invited_by: User | None,
    workspace: Workspace | None = None,
    role: str = Role.MEMBER,
    email: str = "",
    is_setup: bool = False,
) -> tuple[Invitation, str]:
    """Return the invitation and its token, which is not kept."""
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        token_hash=hash_token(token),
        invited_by=invited_by,
        workspace=workspace,
        role=role,
        email=email.lower(),
        is_setup=is_setup,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    return invitation, token


def find_invitation(token: str) -> Invitation:
    """Return the open invitation of this token.

    Raises:
        NotFound: there is none, or it was used or is too old.
    """
    return _open_invitation(hash_token(token))


def _open_invitation(token_hash: str) -> Invitation:
    invitation = (
        Invitation.objects.select_related("workspace", "invited_by").filter(token_hash=token_hash).first()
    )
    if invitation is None or not invitation.is_open:
        if not User.objects.filter(is_installation_owner=True).exists():
            raise NotFound("This is not the newest token. Open the address that the last start printed.")
        raise NotFound("This link was used already or is too old. Ask for a new one.")
    if invitation.is_setup and User.objects.filter(is_installation_owner=True).exists():
        raise NotFound("This installation has its owner already. Sign in instead.")
    return invitation


def remember_invitation(session: SessionBase, token: str) -> None:
    """Keep the invitation in the session until the person has signed up or in; sessions are rows, so only the token's hash."""
    session[SESSION_KEY] = hash_token(token)


def invitation_in_session(request: HttpRequest) -> Invitation | None:
    """Return the open invitation that this session holds, or None."""
    token_hash = request.session.get(SESSION_KEY)
    if not token_hash:
        return None
    try:
        return _open_invitation(token_hash)
    except NotFound:
        return None


@transaction.atomic
def sign_up(*, request: HttpRequest, save: Callable[[], Any]) -> User:
    """Return the new person that `save` makes; the invitation in the session is used up by the same transaction.

    Raises:
        Conflict: two people used one link at once.
    """
    invitation = invitation_in_session(request)
    if invitation is None:
        raise Conflict("The invitation was used in the meantime. Ask for a new one.")
    saved: User = save()
    use_invitation(invitation=invitation, user=saved)
    request.session.pop(SESSION_KEY, None)
    if invitation.workspace_id is not None:
        request.session[JOINED_KEY] = invitation.workspace_id
    return saved


@transaction.atomic
def use_invitation(*, invitation: Invitation, user: User) -> None:
    """Use the invitation up: let the person into its workspace, or make them owner when it is the set-up token.

    Raises:
        Conflict: somebody else was faster.
    """
    used = Invitation.objects.filter(pk=invitation.pk, used_at=None).update(
        used_at=timezone.now(), used_by=user
    )
    if not used:
        raise Conflict("This link was used in the meantime. Ask for a new one.")
    if invitation.is_setup:
        user.is_installation_owner = True
        User.objects.filter(pk=user.pk).update(is_installation_owner=True)
    if invitation.workspace_id is not None:
        Membership.objects.get_or_create(
            workspace_id=invitation.workspace_id, user=user, defaults={"role": invitation.role}
        )


def create_api_key(
    *, user: User, name: str, scopes: Sequence[str], workspace_id: int | None = None
) -> tuple[ApiKey, str]:
    """Return the key's row and the key itself, which is shown once and not kept.

    Raises:
        Invalid: no scope, or one that does not exist.
        NotFound: the person is not in the workspace that the key is to be bound to.
        Conflict: the person has too many.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise Invalid(f"Scopes are {', '.join(SCOPES)}.", unknown=unknown)
    if workspace_id is not None and not user.memberships.filter(workspace_id=workspace_id).exists():
        raise NotFound("There is no such workspace, or you are not in it.")
    if selectors.keys_of(user).count() >= MAX_KEYS:
        raise Conflict(f"You have {MAX_KEYS} keys. Revoke those that you do not use any more.")
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    row = ApiKey.objects.create(
        user=user,
        name=name,
        prefix=key[:12],
        key_hash=hash_token(key),
        scopes=sorted(set(scopes), key=SCOPES.index),
        workspace_id=workspace_id,
    )
    return row, key


@transaction.atomic
def revoke_api_key(*, user: User, key_id: int) -> None:
    """Make the person's key useless from now on; what was set going with it and works by itself stops.

    Raises:
        NotFound: the person has no such key.
    """
    key = selectors.keys_of(user).select_for_update().filter(pk=key_id).first()
    if key is None:
        raise NotFound()
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    key_revoked(key)


def authenticate_key(key: str) -> User | None:
    """Return the person whose key this is, bound to the key's scopes and workspace; None for a wrong or revoked key."""
    row = ApiKey.objects.select_related("user").filter(key_hash=hash_token(key), revoked_at=None).first()
    if row is None or not row.user.is_active:
        return None
    now = timezone.now()
    if row.last_used_at is None or now - row.last_used_at > LAST_USED_STEP:
        ApiKey.objects.filter(pk=row.pk).update(last_used_at=now)
    row.user.key_scopes = frozenset(row.scopes)  # type: ignore[attr-defined]
    row.user.bound_workspace_id = row.workspace_id  # type: ignore[attr-defined]
    row.user.used_key = row  # type: ignore[attr-defined]
    return row.user


@transaction.atomic
def sign_out_everywhere(*, user: User) -> None:
    """End all of the person's sessions and tell their open tabs."""
    for session in UserSession.objects.filter(user=user):
        session.end()
    publish_to_person_on_commit(user.pk, events.SignedOut(user_id=user.pk))


@transaction.atomic
def set_active(*, by: User, user_id: int, is_active: bool) -> None:
    """Shut a person out, ending their sessions, or let them in again.

    Raises:
        NotFound: there is no such person.
        Conflict: owners cannot shut themselves out.
    """
    if user_id == by.pk:
        raise Conflict("You cannot shut yourself out.")
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound()
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    if not is_active:
        sign_out_everywhere(user=user)
        rights_lost(user.pk, None)
        # A link made in time would be a way back in.
        Invitation.objects.filter(invited_by=user, used_at=None).delete()
