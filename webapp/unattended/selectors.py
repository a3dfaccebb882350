"""Reads about unattended work."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db.models import Count, Max
from django.utils import timezone

from webapp.unattended import cron
from webapp.unattended.models import Act, Calling, Delivery, Firing, Goal, Round, Schedule, Webhook
from webapp.unattended.spending import spent_on
from webapp.workspaces.models import Workspace

HISTORY = 50


def calling_row(item: Calling) -> dict[str, Any]:
    """Return what every kind of unattended work has in common: plain, JSON-safe."""
    return {
        "id": item.pk,
        "name": item.name,
        "agent": item.agent,
        "goal": item.goal,
        "model_id": item.profile_id,
        "budget": item.budget or None,
        "priority": item.priority,
        "channel_id": item.channel_id,
        "topic": item.topic,
        "owner_id": item.owner_id,
        "api_key_id": item.api_key_id,
        "created_at": item.created_at,
    }


def schedule_row(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as the API shows it."""
    return calling_row(schedule) | {
        "cron": schedule.cron,
        "zone": schedule.zone,
        "words": cron.words(schedule.cron),
        "when_busy": schedule.when_busy,
        "seen": schedule.seen,
        "is_enabled": schedule.is_enabled,
        "stop_note": schedule.stop_note,
        "next_at": schedule.next_at,
    }


def firing_row(firing: Firing) -> dict[str, Any]:
    """Return a due moment as the API shows it."""
    return {
        "moment": firing.moment,
        "outcome": firing.outcome,
        "note": firing.note,
        "missed": firing.missed,
        "run_id": firing.run_id,
        "asked_by_id": firing.asked_by_id,
    }


def address_of(webhook: Webhook) -> str:
    """Return where programs call this webhook."""
    return f"{settings.PUBLIC_URL}/hooks/{webhook.public_id}"


def webhook_row(webhook: Webhook, *, may_change: bool) -> dict[str, Any]:
    """Return a webhook as the API shows it; its address is for those who may change it."""
    return calling_row(webhook) | {
        "address": address_of(webhook) if may_change else None,
        "proof": webhook.proof,
        "events": webhook.event_names.split(),
        "seen": webhook.seen,
        "is_enabled": webhook.is_enabled,
        "stop_note": webhook.stop_note,
    }


def delivery_row(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as the API shows it."""
    names = ("delivery_id", "event", "outcome", "note", "size_bytes", "repeats", "run_id", "received_at")
    return {name: getattr(delivery, name) for name in names}


def webhooks_of(workspace: Workspace) -> list[Webhook]:
    """Return the workspace's webhooks by name."""
    return list(workspace.webhooks.select_related("owner", "channel", "api_key"))


def deliveries_of(webhook: Webhook, *, limit: int = HISTORY) -> list[Delivery]:
    """Return the newest deliveries of a webhook."""
    return list(webhook.deliveries.select_related("run", "run__proposed_change_set")[:limit])


def last_deliveries(webhooks: list[Webhook]) -> dict[int, Delivery]:
    """Return the newest delivery of each webhook that has one."""
    newest = Delivery.objects.filter(webhook__in=webhooks).values("webhook").annotate(last=Max("pk"))
    rows = Delivery.objects.filter(pk__in=newest.values("last")).select_related("run")
    return {delivery.webhook_id: delivery for delivery in rows}


def goal_row(goal: Goal) -> dict[str, Any]:
    """Return a goal as the API shows it, with what its rounds have used up so far."""
    names = ("command", "criteria", "max_rounds", "max_tokens", "max_cost_usd", "max_seconds")
    more = ("state", "note", "change_set_id", "ended_at")
    spent = asdict(spent_on(goal, now=timezone.now()))
    return calling_row(goal) | {name: getattr(goal, name) for name in (*names, *more)} | {"spent": spent}


def round_row(one: Round) -> dict[str, Any]:
    """Return a round as the API shows it."""
    names = ("number", "stage", "run_id", "is_changed", "is_reached", "words", "created_at", "ended_at")
    number = one.revision.number if one.revision is not None else None
    audit = {"audit_run_id": one.audit_id, "evidence_id": one.evidence_id, "revision": number}
    return {name: getattr(one, name) for name in names} | audit


def goals_of(workspace: Workspace, *, limit: int = 100) -> list[Goal]:
    """Return the workspace's goals, newest first."""
    return list(
        workspace.goals.select_related("owner", "channel", "api_key").annotate(round_count=Count("rounds"))[
            :limit
        ]
    )


def rounds_of(goal: Goal) -> list[Round]:
    """Return the rounds of a goal, newest first."""
    rows = goal.rounds.select_related("run", "audit", "evidence", "revision")
    return list(rows.order_by("-number"))


def schedules_of(workspace: Workspace) -> list[Schedule]:
    """Return the workspace's schedules by name."""
    return list(workspace.schedules.select_related("owner", "channel", "api_key"))


def firings_of(schedule: Schedule, *, limit: int = HISTORY) -> list[Firing]:
    """Return the newest due moments of a schedule."""
    rows = schedule.firings.select_related("run", "run__proposed_change_set", "asked_by")
    return list(rows.order_by("-moment")[:limit])


def last_runs(schedules: list[Schedule]) -> dict[int, Firing]:
    """Return the newest firing of each schedule that has one."""
    newest = Firing.objects.filter(schedule__in=schedules).values("schedule").annotate(last=Max("pk"))
    rows = Firing.objects.filter(pk__in=newest.values("last")).select_related("run")
    return {firing.schedule_id: firing for firing in rows}


def acts_on(item: Calling, *, limit: int = HISTORY) -> list[Act]:
    """Return who did what with it, newest first."""
    rows = Act.objects.filter(workspace_id=item.workspace_id, kind=item.kind, item_id=item.pk)
    return list(rows.select_related("by")[:limit])


def acts_in(workspace: Workspace, *, limit: int = 200) -> list[Act]:
    """Return who did what with all unattended work of a workspace, newest first."""
    return list(Act.objects.filter(workspace=workspace).select_related("by")[:limit])
