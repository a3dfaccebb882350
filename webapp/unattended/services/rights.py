"""What was set going in the name of a person who may call agents no more stops, and says so."""

from __future__ import annotations

from webapp.unattended.models import Goal, Schedule, Webhook
from webapp.unattended.services.calling import RIGHTS_LOST
from webapp.unattended.services.goals import end_goal, locked_goal
from webapp.unattended.services.schedules import switch_schedule
from webapp.unattended.services.webhooks import switch_webhook


def stop_unattended_of(user_id: int, workspace_id: int | None) -> None:
    """Switch off what the person answers for, in one workspace or (None) in all. Call it in a transaction."""
    where = {"owner_id": user_id} | ({} if workspace_id is None else {"workspace_id": workspace_id})
    for schedule in Schedule.objects.select_related("workspace").filter(**where, is_enabled=True):
        switch_schedule(schedule=schedule, is_on=False, by=None, note=RIGHTS_LOST)
    for webhook in Webhook.objects.select_related("workspace").filter(**where, is_enabled=True):
        switch_webhook(webhook=webhook, is_on=False, by=None, note=RIGHTS_LOST)
    for goal_id in Goal.objects.filter(**where, state=Goal.State.WORKING).values_list("pk", flat=True):
        goal = locked_goal(goal_id)
        if goal is not None and not goal.is_ended:
            end_goal(goal, Goal.State.STOPPED, RIGHTS_LOST)
