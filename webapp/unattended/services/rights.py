"""What was set going in the name of a person who may call agents no more stops, and says so."""

from __future__ import annotations

from webapp.unattended.models import Schedule, Webhook
from webapp.unattended.services.calling import RIGHTS_LOST
from webapp.unattended.services.schedules import switch_schedule
from webapp.unattended.services.webhooks import switch_webhook


def stop_unattended_of(user_id: int, workspace_id: int | None) -> None:
    """Switch off what the person answers for, in one workspace or (None) in all. Call it in a transaction."""
    where = {"owner_id": user_id} | ({} if workspace_id is None else {"workspace_id": workspace_id})
    for schedule in Schedule.objects.select_related("workspace").filter(**where, is_enabled=True):
        switch_schedule(schedule=schedule, is_on=False, by=None, note=RIGHTS_LOST)
    for webhook in Webhook.objects.select_related("workspace").filter(**where, is_enabled=True):
        switch_webhook(webhook=webhook, is_on=False, by=None, note=RIGHTS_LOST)
