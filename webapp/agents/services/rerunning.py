"""A run done again from one of its steps, or with other words: a new run that takes over what was finished before that step."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from webapp.accounts.models import User
from webapp.agents import selectors
from webapp.agents.models import Run, SteeringNote, Step
from webapp.agents.plain import storable_text
from webapp.agents.services.launching import is_done
from webapp.agents.services.runs import start_again
from webapp.agents.services.steering import TEXT_CHARS, check_hears
from webapp.errors import Conflict, Invalid
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
ASKED_BY_MODEL: Final = ("tool_call", "command", "test_run", "delegation")


@transaction.atomic
def rerun(*, run: Run, requested_by: User, step_id: str = "", text: str = "", goal: str = "") -> Run:
    """Return a new run of the same agent that begins before the step `step_id`, or at the beginning when that is empty.

    It takes over the steps that were finished before, and the files as they were then; nothing that they cost counts again.

    Args:
        text: What the person tells it on the way; before a tool call, the model is asked again what to do instead.
        goal: Another goal; only from the beginning, since steps that were done for the old one would not fit.

    Raises:
        NotFound: the run has no such step.
        Invalid: another goal with a step, far too many words, or words for an agent without a model.
        Conflict: the run has not ended yet.
    """
    if not run.is_final:
        raise Conflict("This run is still at work. Stop it first, or tell it something.", status=run.status)
    if goal.strip() and step_id:
        raise Invalid(
            "Another goal begins at the beginning. Leave the step out, or say it as a word.", field="goal"
        )
    if len(text) > TEXT_CHARS:
        raise Invalid(f"Say it in at most {TEXT_CHARS:,} characters.", field="text")
    if text.strip():
        check_hears(run)
    before = _cut(run, step_id, has_words=bool(text.strip()))
    again = start_again(
        run, requested_by=requested_by, goal=goal.strip() or run.goal, base_commit=run.base_commit
    )
    if before is not None:
        _take_over(run, again, before)
    if text.strip():
        SteeringNote.objects.create(
            run=again, by=requested_by, kind=SteeringNote.Kind.MESSAGE, text=storable_text(text.strip())
        )
    log.info("run done again", run_id=str(again.pk), retry_of=str(run.pk), step_id=step_id)
    return again


def _cut(run: Run, step_id: str, *, has_words: bool) -> Step | None:
    """Return the first step that is not taken over, None for the beginning."""
    if not step_id:
        return None
    step = selectors.step_of(run, step_id)
    if not has_words or step.kind not in ASKED_BY_MODEL:
        return step
    # The call stands in the model's turn: with other words, that turn is asked for again.
    return run.steps.filter(step_id=step.parent_id, kind="model_call").first() or step


def _take_over(run: Run, again: Run, before: Step) -> None:
    rows = list(run.steps.filter(is_done(), seq__lt=before.seq).exclude(kind="proposal").order_by("seq"))
    Step.objects.bulk_create(
        Step(
            run=again,
            step_id=row.step_id,
            parent_id=row.parent_id,
            kind=row.kind,
            title=row.title,
            status=row.status,
            detail={**row.detail, "taken_over_from": str(run.pk)},
            duration_ms=row.duration_ms,
            started_at=row.started_at,
            seq=row.seq,
        )
        for row in rows
    )
    again.last_seq = rows[-1].seq if rows else 0
    again.save(update_fields=["last_seq"])
