"""Who may hold a socket open, and which runs' tokens it may watch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from webapp.accounts.models import User
from webapp.agents.models import Run
from webapp.errors import NotFound
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Membership, Workspace

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

SIGNED_OUT = 4401
NOT_ALLOWED = 4403


@dataclass(frozen=True, slots=True)
class Pass:
    """What a socket was let in with; looked at again when something about it may have changed."""

    user_id: int
    workspace_id: int
    session_key: str
    session_hash: str


def pass_for(user: User, session: SessionBase, workspace_id: int) -> tuple[Pass, Workspace]:
    """Return the pass of a signed-in person for the socket of a workspace, and the workspace.

    Raises:
        NotFound: there is no such workspace, or the person is not in it.
    """
    workspace = workspace_for(user, workspace_id)
    return Pass(
        user.pk, workspace_id, session.session_key or "", session.get(HASH_SESSION_KEY, "")
    ), workspace


def refused(passes: Iterable[Pass]) -> dict[Pass, int]:
    """Return the close code of every pass that is no longer good."""
    wanted = set(passes)
    users = User.objects.in_bulk({item.user_id for item in wanted})
    hashes = {pk: user.get_session_auth_hash() for pk, user in users.items() if user.is_active}
    sessions = set(
        Session.objects.filter(
            session_key__in={item.session_key for item in wanted}, expire_date__gt=timezone.now()
        ).values_list("session_key", flat=True)
    )
    members = set(
        Membership.objects.filter(
            user_id__in=set(users), workspace_id__in={item.workspace_id for item in wanted}
        ).values_list("user_id", "workspace_id")
    )
    codes: dict[Pass, int] = {}
    for item in wanted:
        good_hash = hashes.get(item.user_id)
        if (
            good_hash is None
            or item.session_key not in sessions
            or not constant_time_compare(good_hash, item.session_hash)
        ):
            codes[item] = SIGNED_OUT
        elif (item.user_id, item.workspace_id) not in members:
            codes[item] = NOT_ALLOWED
    return codes


def watchable_run(workspace_id: int, run_id: str) -> str:
    """Return the run's id in its one spelling, for a run of this workspace.

    Raises:
        NotFound: there is none here.
    """
    try:
        key = UUID(run_id)
    except ValueError:
        raise NotFound() from None
    if not Run.objects.filter(pk=key, workspace_id=workspace_id).exists():
        raise NotFound()
    return str(key)
