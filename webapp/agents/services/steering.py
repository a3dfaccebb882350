"""What people tell a run while it works. The rows hold it; Redis only rings, so nothing said is lost with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import redis
from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents import selectors
from webapp.agents.models import Run, SteeringNote, Step
from webapp.agents.plain import storable_text
from webapp.agents.services import approving
from webapp.agents.services.recording import run_of
from webapp.agents.services.runs import stop_run
from webapp.agents.services.suspending import resume_run
from webapp.agents.services.teaching import teach_steering
from webapp.errors import Conflict, Invalid
from workers import events as engine
from workers import queue
from workers.agents.registry import AGENTS
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
TEXT_CHARS: Final = 8_000
MAX_WAITING: Final = 50
Kind = SteeringNote.Kind
_WITHOUT_TEXT: Final = (Kind.STOP_STEP, Kind.APPROVE, Kind.DENY)
_WORDS: Final = (Kind.MESSAGE, Kind.ANSWER, Kind.REDIRECT)
RING_AGAIN_AFTER: Final = timedelta(seconds=5)
BATCH: Final = 200


@transaction.atomic
def steer_run(*, run: Run, by: User, kind: str, text: str = "", step_id: str = "") -> SteeringNote:
    """Return what the person told the run; it is handed to the worker at once, and a run that waits for that step goes on.

    What is said to a step that waits for another run is said to that run; stopping such a step stops it.

    Raises:
        Invalid: there is no such kind, words are missing or far too many or for an agent without a model, or the step is none of
            the run's open ones.
        Forbidden: a yes or no of somebody who may not say it.
        Conflict: the run has ended, too much is waiting for it, or the call was answered already.
    """
    run = Run.objects.select_for_update().get(pk=run.pk)
    if run.is_final:
        raise Conflict(f"This run has ended already: {run.get_status_display().lower()}.", status=run.status)
    if kind not in SteeringNote.Kind.values:
        raise Invalid(f"A run is told one of {', '.join(SteeringNote.Kind.values)}.", field="kind")
    if len(text) > TEXT_CHARS or (not text.strip() and kind not in _WITHOUT_TEXT):
        raise Invalid(f"Say something, in at most {TEXT_CHARS:,} characters.", field="text")
    step = run.steps.filter(step_id=step_id, status="running").first() if step_id else None
    if step is None and (step_id or kind not in (Kind.MESSAGE, Kind.REDIRECT)):
        raise Invalid("This step is not open any more.", field="step_id")
    if step is not None and (child := _child_at(run, step)) is not None:
        if kind in _WORDS:
            return steer_run(run=child, by=by, kind=Kind.MESSAGE if kind == Kind.ANSWER else kind, text=text)
        stop_run(Run.objects.select_for_update().get(pk=child.pk), f"Stopped by {by}")
    if kind in _WORDS:
        check_hears(run)
    if kind == Kind.STOP_STEP and run.suspend_reason == Run.SuspendReason.APPROVAL:
        kind = Kind.DENY  # nothing is in flight: what waits for a yes gets a no
    if run.steering.filter(taken_at=None).count() >= MAX_WAITING:
        raise Conflict(f"{MAX_WAITING} notes wait for this run already.")
    note = SteeringNote.objects.create(
        run=run, by=by, kind=kind, text=storable_text(text.strip()), step_id=step_id
    )
    teach_steering(run, note)
    if kind in approving.DECISIONS:
        approving.decide(note=note)
    waits_for_yes = run.waits_for_others and run.suspend_reason == Run.SuspendReason.APPROVAL
    if waits_for_yes and step_id in run.waits_for:
        resume_run(run=run)
    transaction.on_commit(lambda: _ring(run, note), robust=True)
    log.info("run steered", run_id=str(run.pk), kind=kind, step_id=step_id, by=by.pk)
    return note


def hears(run: Run) -> bool:
    """Return whether the run's agent has a model that words can be told to."""
    entry = AGENTS.get(run.agent)
    return entry is None or entry.needs_model


def check_hears(run: Run) -> None:
    """Refuse words to an agent that has no model to tell them to.

    Raises:
        Invalid: it has none.
    """
    if not hears(run):
        raise Invalid(
            f"@{run.agent} works without a model, so words do not reach it. You can stop it.", field="kind"
        )


def _child_at(run: Run, step: Step) -> Run | None:
    """Return the run at work that this step waits for."""
    if step.kind != "delegation":
        return None
    return run.children.filter(parent_step=step.step_id, status__in=selectors.ACTIVE).first()


def ring_again(*, now: datetime) -> None:
    """Ring for notes whose doorbell went with Redis: a run that is at work would not hear them before its next attempt."""
    late = SteeringNote.objects.filter(
        taken_at=None, created_at__lt=now - RING_AGAIN_AFTER, run__status=Run.Status.RUNNING
    )
    for note in late.select_related("run", "by").order_by("pk")[:BATCH]:
        if not queue.has_notes(str(note.run_id)):
            _ring(note.run, note)


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
