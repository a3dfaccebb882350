"""What becomes of a run that its worker no longer holds: queued again with a higher fence, stopped, or given up."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from webapp.agents import selectors
from webapp.agents.models import Run
from webapp.agents.services import counting
from webapp.agents.services.ending import announce, end_run
from webapp.agents.services.launching import finished_steps, launch
from webapp.agents.services.recording import run_of
from webapp.agents.services.suspending import set_aside
from workers import events as engine
from workers.agents.workplace import last_checkpoint
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
MAX_ATTEMPTS: Final = 3
"""Attempts that may lose their worker; the next loss gives the run up."""
MAX_FENCE: Final = 12
"""Attempts in all, without those that ended in a suspension: a shutdown is not the run's fault, but what is always
interrupted must end too."""
GIVEN_UP: Final = (
    "Its worker was lost {count} times, most likely because of this run. "
    "It is not started again by itself; look at its last step."
)
DROPPED: Final = "Its worker was lost as well, so what it had changed was dropped."


@transaction.atomic
def take_from_worker(run_id: UUID, *, now: datetime) -> None:
    """Take one run from its lost worker; does nothing when the worker has spoken in the meantime."""
    run = Run.objects.select_for_update().get(pk=run_id)
    is_held = run.lease_expires_at is not None and run.lease_expires_at >= now
    if run.status in selectors.HELD and not is_held:
        log.warning(
            "worker lost", run_id=str(run_id), worker=run.worker, attempts=run.attempts, fence=run.fence
        )
        _release(run, is_loss=True, now=now)


@transaction.atomic
def record_interrupted(event: engine.RunInterrupted) -> None:
    """The worker gives the run back before it is done."""
    run = run_of(event)
    if run is None:
        return
    # A worker that died before its first word was recorded leaves a row that is still queued: it counts as a loss all the same.
    if run.status in selectors.HELD or (event.is_loss and run.status == Run.Status.QUEUED):
        log.info("run interrupted", run_id=event.run_id, worker=run.worker, reason=event.reason)
        _release(run, is_loss=event.is_loss, now=timezone.now())


def _release(run: Run, *, is_loss: bool, now: datetime) -> None:
    # Nobody knows what it did after its lease; this machine may have slept since.
    held_until = min(now, run.lease_expires_at or now)
    run.fence += 1
    run.attempts += is_loss
    is_stopping, is_suspending = run.status == Run.Status.CANCELLING, run.status == Run.Status.SUSPENDING
    is_given_up = run.attempts > MAX_ATTEMPTS or run.fence - run.suspensions > MAX_FENCE
    run.status = Run.Status.QUEUED
    run.lease_expires_at, run.rung_at, run.worker, run.tokens_per_s = None, None, "", 0.0
    run.attempts = min(run.attempts, MAX_ATTEMPTS)
    run.save(
        update_fields=["fence", "attempts", "status", "lease_expires_at", "rung_at", "worker", "tokens_per_s"]
    )
    _close_open_steps(run, at=held_until)
    if is_stopping:
        message = run.error_message or "Stopped."
        if last_checkpoint(finished_steps(run)) is not None:
            message = f"{message} {DROPPED}"
        end_run(run, Run.Status.CANCELLED, code="run_cancelled", message=message, is_retryable=True, now=now)
    elif is_given_up:
        message = GIVEN_UP.format(count=MAX_ATTEMPTS if is_loss else run.fence - run.suspensions - 1)
        end_run(run, Run.Status.DEAD, code="worker_lost", message=message, is_retryable=True, now=now)
    elif is_suspending:
        set_aside(run, run.suspend_reason or Run.SuspendReason.PERSON, now=now)
    else:
        announce(run)
        transaction.on_commit(lambda: launch(run.pk), robust=True)


def _close_open_steps(run: Run, *, at: datetime) -> None:
    for step in run.steps.filter(status="running"):
        counting.cut_off(step, at=at)  # not "failed": it is no part of the history to resume from
        step.detail = {**step.detail, "note": "The worker was lost during this step; it is done again."}
        step.save(update_fields=["status", "detail", "duration_ms"])
        if step.kind == "model_call" and step.input_tokens:
            run.save(update_fields=sorted(counting.count_step(run, step)))
