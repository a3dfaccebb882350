"""Who may see a change set, decide about it, and land it."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from webapp.accounts.models import User
from webapp.errors import NotFound
from webapp.reviews.models import ChangeSet, Evidence, ReviewComment
from webapp.reviews.resolved import HunkState, resolve_change_set
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role

Person = User | AnonymousUser
_ABSENT = "There is no such review, or you may not see it."

LOOK = Role.VIEWER
DECIDE = Role.MEMBER
LAND = Role.MAINTAINER


def change_set_for(user: Person, workspace_id: int, change_set_id: int, *, role: str = LOOK) -> ChangeSet:
    """Return the change set, for a person with at least `role` in its workspace; `.workspace.role` says which they have.

    Raises:
        NotFound: there is none here, or the person is a stranger.
        Forbidden: the person sees it with less than `role`.
    """
    workspace = workspace_for(user, workspace_id, role=role)
    found = (
        ChangeSet.objects.select_related("run", "landed_by")
        .filter(pk=change_set_id, workspace=workspace)
        .first()
    )
    if found is None:
        raise NotFound(_ABSENT)
    found.workspace = workspace
    return found


def hunk_for(
    user: Person, workspace_id: int, change_set_id: int, hunk_key: str, *, role: str = LOOK
) -> tuple[ChangeSet, HunkState]:
    """Return the change set and the hunk of its newest revision, splits resolved.

    Raises:
        NotFound: as `change_set_for`, or the newest revision has no such hunk.
    """
    change_set = change_set_for(user, workspace_id, change_set_id, role=role)
    return change_set, resolve_change_set(change_set).find(hunk_key)


def comment_for(
    user: Person, workspace_id: int, change_set_id: int, comment_id: int, *, role: str = DECIDE
) -> ReviewComment:
    """Return a comment of that change set."""
    change_set = change_set_for(user, workspace_id, change_set_id, role=role)
    comment = (
        ReviewComment.objects.filter(pk=comment_id, change_set=change_set)
        .select_related("author", "revision")
        .first()
    )
    if comment is None:
        raise NotFound("There is no such comment.")
    comment.change_set = change_set
    return comment


def evidence_for(
    user: Person, workspace_id: int, change_set_id: int, evidence_id: int, *, role: str = LOOK
) -> Evidence:
    """Return a command that was run on that change set."""
    change_set = change_set_for(user, workspace_id, change_set_id, role=role)
    evidence = (
        Evidence.objects.filter(pk=evidence_id, revision__change_set=change_set)
        .select_related("revision", "requested_by")
        .first()
    )
    if evidence is None or evidence.revision is None:
        raise NotFound("There is no such evidence.")
    evidence.revision.change_set = change_set
    return evidence
