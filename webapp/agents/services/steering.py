"""What people tell a run while it works. The rows hold it; Redis only rings, so nothing said is lost with it."""

from __future__ import annotations

from typing import Final

import redis
from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents import selectors
from webapp.agents.models import Run, SteeringNote
from webapp.agents.plain import storable_text
from webapp.agents.services.recording import run_of
from webapp.agents.services.suspending import resume_run
from webapp.agents.services.teaching import teach_steering
from webapp.errors import Conflict, Invalid
from workers import events as engine
from workers import queue
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
TEXT_CHARS: Final = 8_000
MAX_WAITING: Final = 50
_WITHOUT_TEXT: Final = (SteeringNote.Kind.STOP_STEP, SteeringNote.Kind.APPROVE, SteeringNote.Kind.DENY)


@transaction.atomic
def steer_run(*, run: Run, by: User, kind: str, text: str = "", step_id: str = "") -> SteeringNote:
    """Return what the person told the run; it is handed to the worker at once, and a run that waits for that step goes on.

    Raises:
        Invalid: there is no such kind, words are missing or far too many, or the step is none of the run's open ones.
        Conflict: the run has ended, or too much is waiting for it.
    """
    run = Run.objects.select_for_update().get(pk=run.pk)
    if run.is_final:
        raise Conflict(f"This run has ended already: {run.get_status_display().lower()}.", status=run.status)
    if kind not in SteeringNote.Kind.values:
        raise Invalid(f"A run is told one of {', '.join(SteeringNote.Kind.values)}.", field="kind")
    if len(text) > TEXT_CHARS or (not text.strip() and kind not in _WITHOUT_TEXT):
        raise Invalid(f"Say something, in at most {TEXT_CHARS:,} characters.", field="text")
    is_for_step = kind not in (SteeringNote.Kind.MESSAGE, SteeringNote.Kind.REDIRECT)
    if (step_id or is_for_step) and not run.steps.filter(step_id=step_id, status="running").exists():
        raise Invalid("This step is not open any more.", field="step_id")
    if run.steering.filter(taken_at=None).count() >= MAX_WAITING:
        raise Conflict(f"{MAX_WAITING} notes wait for this run already.")
    note = SteeringNote.objects.create(
        run=run, by=by, kind=kind, text=storable_text(text.strip()), step_id=step_id
    )
    teach_steering(run, note)
    if run.status == Run.Status.SUSPENDED and step_id and step_id in run.waits_for:
        resume_run(run=run)
    transaction.on_commit(lambda: _ring(run, note), robust=True)
    log.info("run steered", run_id=str(run.pk), kind=kind, step_id=step_id, by=by.pk)
    return note


def record_taken(event: engine.SteeringTaken) -> None:
    """The agent has taken up these notes."""
    run = run_of(event)
    if run is not None:
        run.steering.filter(pk__in=event.note_ids[:MAX_WAITING], taken_at=None).update(
            taken_at=timezone.now()
        )


def _ring(run: Run, note: SteeringNote) -> None:
    try:
        queue.steer_run(str(run.pk), selectors.note_row(note))
    except (redis.RedisError, OSError) as error:
        log.warning("note not rung; the next attempt is handed it", run_id=str(run.pk), error=str(error))
