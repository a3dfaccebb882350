"""Schedules are made, changed, switched and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.errors import Invalid
from webapp.unattended import cron
from webapp.unattended.models import Act, Schedule
from webapp.unattended.services import calling
from webapp.unattended.services.acts import record
from webapp.unattended.services.calling import CallingFields
from webapp.workspaces.models import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When a schedule is due, and what happens when the last run is still at work."""

    cron: str
    zone: str = "UTC"
    when_busy: str = Schedule.WhenBusy.SKIP


def _fill(schedule: Schedule, given: CallingFields, when: When, *, by: User, now: datetime) -> None:
    calling.fill(schedule, given, by=by)
    if when.when_busy not in Schedule.WhenBusy.values:
        raise Invalid(
            f"When the last run still works: {', '.join(Schedule.WhenBusy.values)}.", field="when_busy"
        )
    schedule.cron = cron.check(when.cron, when.zone, now=now)
    schedule.zone, schedule.when_busy = when.zone, when.when_busy
    schedule.next_at = cron.next_after(schedule.cron, schedule.zone, now) if schedule.is_enabled else None


@transaction.atomic
def create_schedule(
    *, workspace: Workspace, created_by: User, given: CallingFields, when: When, now: datetime | None = None
) -> Schedule:
    """Return the new schedule, switched on.

    Raises:
        Invalid, NotFound, Forbidden: as `calling.fill`, or the time cannot be understood; `field` names it.
        Conflict: the workspace has too many.
    """
    calling.check_room(Schedule, workspace)
    schedule = Schedule(workspace=workspace)
    _fill(schedule, given, when, by=created_by, now=now or timezone.now())
    schedule.save()
    record(schedule, Act.Verb.MADE, by=created_by)
    return schedule


@transaction.atomic
def change_schedule(
    *,
    schedule: Schedule,
    changed_by: User,
    given: CallingFields,
    when: When,
    seen: str = "",
    now: datetime | None = None,
) -> Schedule:
    """Return the schedule as it is from now on; who changes what it does answers for it.

    `seen` is the digest of the description that the person changed; without it, whatever stands there is replaced.

    Raises:
        Invalid, NotFound, Forbidden: as `create_schedule`.
        Conflict: as `calling.changing`.
    """
    with calling.changing(schedule, by=changed_by, seen=seen) as row:
        _fill(row, given, when, by=changed_by, now=now or timezone.now())
    return row


@transaction.atomic
def switch_schedule(
    *, schedule: Schedule, is_on: bool, by: User | None, note: str = "", now: datetime | None = None
) -> Schedule:
    """Return the schedule, switched on or off; switching it to what it is changes nothing."""
    schedule = calling.locked(schedule)
    if schedule.is_enabled != is_on:
        schedule.next_at = (
            cron.next_after(schedule.cron, schedule.zone, now or timezone.now()) if is_on else None
        )
        calling.switch(schedule, is_on=is_on, by=by, note=note)
    return schedule


@transaction.atomic
def delete_schedule(*, schedule: Schedule, deleted_by: User) -> None:
    """Take the schedule away; its runs stay."""
    calling.delete(calling.locked(schedule), deleted_by=deleted_by)
