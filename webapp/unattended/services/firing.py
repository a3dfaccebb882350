"""Schedules start their runs: exactly once for each due moment, however many processes look at the clock.

A moment is a row, unique by schedule and time, written in the transaction that queues the run. So a second relay, a crash in
between or a clock that jumps back finds the row and starts nothing. After an outage the last missed moment is made up.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents.models import Run
from webapp.agents.plain import sentence
from webapp.errors import Conflict
from webapp.unattended import cron
from webapp.unattended.models import Act, Firing, Schedule
from webapp.unattended.services import calling
from webapp.unattended.services.acts import announce, record
from webapp.unattended.services.schedules import switch_schedule
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
Outcome = Firing.Outcome
BATCH: Final = 100
KEEP_FIRINGS: Final = 500
STILL_WORKS: Final = "The run before it was still at work."


def fire_due(*, now: datetime | None = None) -> int:
    """Return how many schedules that were due at `now` have been dealt with."""
    now = now or timezone.now()
    due = Schedule.objects.filter(is_enabled=True, next_at__lte=now).order_by("next_at")
    found = list(due.values_list("pk", flat=True)[:BATCH])
    for schedule_id in found:
        _fire(schedule_id, now=now)
    return len(found)


@transaction.atomic
def _fire(schedule_id: int, *, now: datetime) -> None:
    schedule = _locked(schedule_id)
    if schedule is None or not schedule.is_enabled or schedule.next_at is None or schedule.next_at > now:
        return  # another relay was faster, or somebody switched it off
    if reason := calling.lost_rights(schedule):
        switch_schedule(schedule=schedule, is_on=False, by=None, note=reason)
        return
    due = cron.last_due(schedule.cron, schedule.zone, since=schedule.next_at, until=now)
    schedule.next_at = cron.next_after(schedule.cron, schedule.zone, now)
    schedule.save(update_fields=["next_at"])
    if not schedule.firings.filter(
        moment=due.moment
    ).exists():  # a clock that jumped back has been here before
        _begin(Firing(schedule=schedule, moment=due.moment, missed=due.missed), schedule)


def _locked(schedule_id: int) -> Schedule | None:
    rows = Schedule.objects.select_for_update(of=("self",)).select_related("workspace", "owner", "channel")
    return rows.filter(pk=schedule_id).first()


def _begin(firing: Firing, schedule: Schedule) -> None:
    is_waited_for = schedule.firings.filter(outcome=Outcome.WAITING).exists()
    if not is_waited_for and not _is_busy(schedule):
        _start(firing, schedule)
    elif schedule.when_busy == Schedule.WhenBusy.QUEUE and not is_waited_for:
        firing.outcome = Outcome.WAITING
    else:
        firing.outcome, firing.note = Outcome.SKIPPED, STILL_WORKS
    firing.save()
    announce(schedule)


def _is_busy(schedule: Schedule) -> bool:
    return schedule.firings.filter(run__isnull=False).exclude(run__status__in=Run.FINAL).exists()


def _start(firing: Firing, schedule: Schedule) -> None:
    try:
        with transaction.atomic():
            firing.run = calling.call(schedule, origin=Run.Origin.SCHEDULE)
    except PyAgentError as error:
        log.warning("schedule not started", schedule_id=schedule.pk, code=error.code, error=str(error))
        firing.outcome, firing.note = Outcome.FAILED, sentence(str(error))[:300]
    else:
        firing.outcome, firing.note = Outcome.STARTED, ""


@transaction.atomic
def start_now(*, schedule: Schedule, asked_by: User, now: datetime | None = None) -> Firing:
    """Return the firing that a person asked for, beside the due moments; the run is the schedule's owner's all the same.

    Raises:
        Conflict: the last run is still at work, or this one cannot be started.
    """
    locked = _locked(schedule.pk)
    if locked is None or _is_busy(locked):
        raise Conflict("Its last run is still at work. Wait for it, or stop it.")
    firing = Firing(schedule=locked, moment=now or timezone.now(), asked_by=asked_by)
    _start(firing, locked)
    if firing.outcome == Outcome.FAILED:
        raise Conflict(firing.note)
    firing.save()
    record(locked, Act.Verb.STARTED, by=asked_by)
    return firing


def start_waiting() -> None:
    """Start what waits for a run that has ended. Called when a run ends, and by the clock in case that was missed."""
    waiting = Firing.objects.filter(outcome=Outcome.WAITING).values_list("schedule_id", flat=True)
    # Of a part of them, always the same would be looked at.
    for schedule_id in list(waiting.distinct()):
        _start_waiting(schedule_id)


@transaction.atomic
def _start_waiting(schedule_id: int) -> None:
    schedule = _locked(schedule_id)
    if schedule is None or _is_busy(schedule):
        return
    for firing in schedule.firings.filter(outcome=Outcome.WAITING).order_by("moment"):
        if not schedule.is_enabled:
            firing.outcome, firing.note = Outcome.SKIPPED, "The schedule was switched off."
        else:
            _start(firing, schedule)
        firing.save()
        announce(schedule)


def note_ended(run: Run) -> None:
    """A run has ended: open pages of its schedule look again, and what waited for it is started once this is committed."""
    firing = Firing.objects.select_related("schedule").filter(run=run).first()
    if firing is not None:
        announce(firing.schedule)
        transaction.on_commit(start_waiting, robust=True)


def prune_firings() -> None:
    """Forget the oldest firings of schedules that have more than `KEEP_FIRINGS`."""
    for schedule in Schedule.objects.only("pk"):
        oldest = schedule.firings.order_by("-moment").values_list("moment", flat=True)[KEEP_FIRINGS:][:1]
        for moment in oldest:
            schedule.firings.filter(moment__lte=moment).exclude(outcome=Outcome.WAITING).delete()
