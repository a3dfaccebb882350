"""What was set going in the name of a person who may call agents no more, or with a key that is revoked, stops and says so."""

from __future__ import annotations

from typing import Any

from webapp.accounts.models import ApiKey
from webapp.unattended.models import Goal, Schedule, Webhook
from webapp.unattended.services.calling import RIGHTS_LOST, key_revoked
from webapp.unattended.services.goals import end_goal, locked_goal, stop_work
from webapp.unattended.services.schedules import switch_schedule
from webapp.unattended.services.webhooks import switch_webhook


def stop_unattended_of(user_id: int, workspace_id: int | None) -> None:
    """Switch off what the person answers for, in one workspace or (None) in all. Call it in a transaction.

    Its runs are the person's, and stop as theirs.
    """
    where = {"owner_id": user_id} | ({} if workspace_id is None else {"workspace_id": workspace_id})
    _stop(where, RIGHTS_LOST)


def stop_unattended_by(key: ApiKey) -> None:
    """Switch off what was set going with the key, and stop the work of its goals. Call it in a transaction.

    What a person changed or switched on at a page since then is theirs, and goes on.
    """
    for goal in _stop({"api_key": key}, key_revoked(key)):
        stop_work(goal, f"Stopped by {key.user}")


def _stop(where: dict[str, Any], note: str) -> list[Goal]:
    """Stop what `where` finds; return the goals."""
    for schedule in Schedule.objects.select_related("workspace").filter(**where, is_enabled=True):
        switch_schedule(schedule=schedule, is_on=False, by=None, note=note)
    for webhook in Webhook.objects.select_related("workspace").filter(**where, is_enabled=True):
        switch_webhook(webhook=webhook, is_on=False, by=None, note=note)
    stopped = []
    for goal_id in Goal.objects.filter(**where, state=Goal.State.WORKING).values_list("pk", flat=True):
        goal = locked_goal(goal_id)
        if goal is not None and not goal.is_ended:
            end_goal(goal, Goal.State.STOPPED, note)
            stopped.append(goal)
    return stopped
