"""Who is given which lessons, and what came of it. Counts always agree with the outcomes of the uses, told in any order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from webapp.learning.models import BAD, AgentWeight, Cycle, Lesson, LessonUse, Outcome
from webapp.learning.selectors import candidates, current_cycle, job_lesson
from webapp.workspaces.models import Workspace
from workers.learning.core import LessonCore
from workers.learning.goals import kind_of
from workers.memory.embedding import EmbeddingUnavailable, minilm
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
core = LessonCore()


def give_lessons(*, run_id: UUID, workspace_id: int, goal: str) -> list[dict[str, Any]]:
    """Return the lessons that this run is given, as its job carries them, and note that it was.

    A run that is rung for again gets what it got the first time, as far as it is still there. Where no lesson is stored, no
    model is loaded.
    """
    given = LessonUse.objects.filter(run_id=run_id).select_related("lesson").order_by("pk")
    if known := [job_lesson(use.lesson) for use in given]:
        return known
    lessons = candidates(workspace_id)
    if not lessons:
        return []
    try:
        (vector,) = minilm.embed([goal])
    except EmbeddingUnavailable as error:
        log.error("a run was given no lessons", run_id=str(run_id), error=str(error))
        return []
    cycle = current_cycle(workspace_id)
    chosen = core.choose(vector, lessons, cycle=cycle)
    with transaction.atomic():
        for one in chosen:
            LessonUse.objects.get_or_create(
                lesson_id=one.lesson.lesson_id, run_id=run_id, defaults={"similarity": one.similarity}
            )
        _touch(Lesson.objects.filter(pk__in=[one.lesson.lesson_id for one in chosen]), cycle)
    return [job_lesson(one.lesson) for one in chosen]


def _touch(rows: Any, cycle: int) -> None:
    """A use in this cycle; an older one than the last changes nothing."""
    rows.filter(last_cycle__lt=cycle).update(last_cycle=cycle)


class RunLike(Protocol):
    """What learning needs to know of an `agents.Run`."""

    pk: UUID
    workspace_id: int
    agent: str
    goal: str


@transaction.atomic
def record_cycle(run: RunLike) -> int:
    """Return the number of the cycle that this finished run is; told twice, it is one cycle."""
    Workspace.objects.select_for_update().get(pk=run.workspace_id)
    cycle = _cycle_of(run)
    if cycle.number is None:
        cycle.number = current_cycle(run.workspace_id) + 1
        cycle.save(update_fields=["number"])
        _touch(_agent_of(cycle), cycle.number)
    return cycle.number


def _cycle_of(run: RunLike) -> Cycle:
    kind = kind_of(run.goal)
    cycle, _ = Cycle.objects.get_or_create(
        run_id=run.pk, defaults={"workspace_id": run.workspace_id, "agent": run.agent, "kind": kind}
    )
    AgentWeight.objects.get_or_create(workspace_id=cycle.workspace_id, agent=cycle.agent, kind=cycle.kind)
    return cycle


def _agent_of(cycle: Cycle) -> QuerySet[AgentWeight]:
    return AgentWeight.objects.filter(workspace_id=cycle.workspace_id, agent=cycle.agent, kind=cycle.kind)


@transaction.atomic
def record_outcome(*, runs: Iterable[RunLike], outcome: Outcome) -> None:
    """Write what became of what these runs offered; a later word takes the place of an earlier one.

    It may become known before the run has ended: people are quick.
    """
    for run in runs:
        for use in LessonUse.objects.select_for_update().filter(run_id=run.pk):
            if use.outcome != Outcome.REPEATED:
                _move(use, outcome, Lesson.objects.filter(pk=use.lesson_id))
        cycle = _cycle_of(run)
        _move(Cycle.objects.select_for_update().get(pk=cycle.pk), outcome, _agent_of(cycle))


def mark_repeated(lesson: Lesson, run_id: UUID) -> None:
    """The mistake was made again by a run that had been given its lesson: that use did not help, for good."""
    for use in LessonUse.objects.select_for_update().filter(lesson=lesson, run_id=run_id):
        _move(use, Outcome.REPEATED, Lesson.objects.filter(pk=lesson.pk))


def _move(row: LessonUse | Cycle, outcome: Outcome, counted: Any) -> None:
    """Give a use or a cycle its outcome and move the counts from the former one to it."""
    before, row.outcome = row.outcome, outcome
    if before == outcome:
        return
    row.save(update_fields=["outcome"])
    good = (outcome == Outcome.HELPED) - (before == Outcome.HELPED)
    bad = (outcome in BAD) - (before in BAD)
    counted.update(successes=F("successes") + good, failures=F("failures") + bad)
