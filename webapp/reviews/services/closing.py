"""Putting a change set away, and taking it out again."""

from __future__ import annotations

from django.db import transaction

from webapp.accounts.models import User
from webapp.errors import Conflict
from webapp.events.publish import publish_on_commit
from webapp.reviews import events
from webapp.reviews.models import ChangeSet
from webapp.reviews.services.deciding import lock_open
from webapp.reviews.services.teaching import teach_outcome

Status = ChangeSet.Status


def announce(change_set: ChangeSet, by: str) -> None:
    """Tell the workspace, once the transaction commits, how the change set stands."""
    publish_on_commit(
        change_set.workspace_id,
        events.ReviewChanged(
            change_set_id=change_set.pk, status=change_set.status, turn=change_set.turn, by=by
        ),
    )


@transaction.atomic
def discard(*, change_set: ChangeSet, discarded_by: User) -> ChangeSet:
    """Return the change set, put away; its commits stay on their hidden refs, so that it can be opened again.

    Raises:
        Conflict: it is not open.
    """
    change_set = lock_open(change_set)
    change_set.status = Status.DISCARDED
    change_set.save(update_fields=["status", "updated_at"])
    teach_outcome(change_set)
    announce(change_set, discarded_by.display_name)
    return change_set


@transaction.atomic
def reopen(*, change_set: ChangeSet, reopened_by: User) -> ChangeSet:
    """Return the change set, open again after it was discarded, or after it was landed and reverted.

    Raises:
        Conflict: it is open, landed or being applied.
    """
    locked = ChangeSet.objects.select_for_update().get(pk=change_set.pk)
    if locked.status not in (Status.DISCARDED, Status.REVERTED):
        raise Conflict(f"This review is {locked.get_status_display().lower()}.", status=locked.status)
    locked.status, locked.turn = Status.OPEN, ChangeSet.Turn.REVIEWER
    locked.workspace = change_set.workspace
    locked.save(update_fields=["status", "turn", "updated_at"])
    teach_outcome(locked)
    announce(locked, reopened_by.display_name)
    return locked
