"""Runs that give up their slot for a while, for a person or something more urgent; they go on after their last finished step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import redis
from django.db import transaction
from django.utils import timezone

from webapp.agents.models import Run
from webapp.agents.services import counting
from webapp.agents.services.approving import is_answered
from webapp.agents.services.ending import announce, end_run
from webapp.agents.services.launching import launch
from webapp.agents.services.recording import moment, run_of
from webapp.errors import Conflict
from workers import events as engine
from workers import queue
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
GOES_ON: Final = (Run.SuspendReason.PREEMPTED, Run.SuspendReason.LIMIT)
"""Reasons that pass without anybody's doing."""


@transaction.atomic
def suspend_run(*, run: Run, reason: Run.SuspendReason = Run.SuspendReason.PERSON) -> Run:
    """Return the run, suspended at once when no worker has it, else asked to suspend at its next token or step.

    Raises:
        Conflict: it is not at work.
    """
    run = Run.objects.select_for_update().get(pk=run.pk)
    if run.status == Run.Status.QUEUED:
        # A worker may be taking it at this very moment: a higher fence makes its events void.
        run.fence += 1
        run.save(update_fields=["fence"])
        set_aside(run, reason, now=timezone.now())
        transaction.on_commit(lambda: _withdraw(run), robust=True)
    elif run.status == Run.Status.RUNNING:
        run.status, run.suspend_reason = Run.Status.SUSPENDING, reason
        run.save(update_fields=["status", "suspend_reason"])
        announce(run)
        fence = run.fence
        transaction.on_commit(lambda: tell_worker_to_suspend(run, fence), robust=True)
    else:
        raise Conflict(
            f"This run cannot be suspended: {run.get_status_display().lower()}.", status=run.status
        )
    log.info("run suspended", run_id=str(run.pk), reason=reason, status=run.status)
    return run


def _withdraw(run: Run) -> None:
    """Take the run out of the fleet's waiting room; admitted all the same, its worker would find itself overtaken."""
    try:
        queue.withdraw_run(str(run.pk))
    except (redis.RedisError, OSError) as error:
        log.warning("run not withdrawn from the fleet", run_id=str(run.pk), error=str(error))


def tell_worker_to_suspend(run: Run, fence: int) -> None:
    """Put up the sign that the worker looks for; `leases` puts it up again while the run is suspending."""
    try:
        queue.suspend_run(str(run.pk), fence=fence)
    except (redis.RedisError, OSError) as error:
        log.warning("suspend sign not put up; it is tried again", run_id=str(run.pk), error=str(error))


@transaction.atomic
def resume_run(*, run: Run) -> Run:
    """Return the suspended run, queued again; it goes on after its last finished step.

    Raises:
        Conflict: it is not suspended.
    """
    run = Run.objects.select_for_update().get(pk=run.pk)
    if run.status != Run.Status.SUSPENDED:
        raise Conflict(f"This run is not suspended: {run.get_status_display().lower()}.", status=run.status)
    run.status, run.suspend_reason, run.waits_for = Run.Status.QUEUED, "", []
    run.suspended_at, run.rung_at = None, None
    run.save(update_fields=["status", "suspend_reason", "waits_for", "suspended_at", "rung_at"])
    announce(run)
    transaction.on_commit(lambda: launch(run.pk), robust=True)
    log.info("run resumed", run_id=str(run.pk))
    return run


def record_suspended(event: engine.RunSuspended) -> None:
    """The worker has let go of the run."""
    run = run_of(event)
    if run is None:
        return
    run.fence += 1
    run.suspensions += 1
    run.last_seq = max(run.last_seq, event.run_seq)
    run.lease_expires_at, run.worker, run.tokens_per_s = None, "", 0.0
    run.save(update_fields=["fence", "suspensions", "last_seq", "lease_expires_at", "worker", "tokens_per_s"])
    if run.status == Run.Status.CANCELLING:
        end_run(
            run,
            Run.Status.CANCELLED,
            code="run_cancelled",
            message=run.error_message or "Stopped.",
            is_retryable=True,
        )
        return
    _cut_off_open(run, waits_for=event.waits_for, at=moment(event.at))
    is_asked = run.status == Run.Status.SUSPENDING and bool(run.suspend_reason)
    reason = run.suspend_reason if is_asked else event.reason
    if reason in GOES_ON:
        _queue_again(run, reason)
    else:
        set_aside(run, reason, waits_for=event.waits_for, waits_any=event.waits_any, now=timezone.now())
        if is_answered(run):
            resume_run(run=run)


def _queue_again(run: Run, reason: str) -> None:
    """Nobody has to resume it: the fleet gives it the next slot that its priority and its age deserve.

    `suspend_reason` stays until it starts, so that pages say why it waits.
    """
    run.status, run.suspend_reason, run.rung_at = Run.Status.QUEUED, reason, None
    run.save(update_fields=["status", "suspend_reason", "rung_at"])
    announce(run)
    transaction.on_commit(lambda: launch(run.pk), robust=True)


def set_aside(
    run: Run, reason: str, *, waits_for: Sequence[str] = (), waits_any: bool = False, now: datetime
) -> None:
    """Write that the run is suspended. The transaction holds the row; its fence is above its last worker's."""
    run.status, run.suspend_reason = Run.Status.SUSPENDED, reason
    run.waits_for, run.waits_any = list(waits_for), waits_any
    run.suspended_at, run.rung_at = now, None
    run.save(update_fields=["status", "suspend_reason", "waits_for", "waits_any", "suspended_at", "rung_at"])
    _cut_off_open(run, waits_for=waits_for, at=now)
    announce(run)


def _cut_off_open(run: Run, *, waits_for: Sequence[str], at: datetime) -> None:
    """What was cut off is done again, and its time counts all the same; what the run waits for stays open."""
    for step in run.steps.filter(status="running").exclude(step_id__in=waits_for):
        counting.cut_off(step, at=at)
        step.save(update_fields=["status", "duration_ms"])
