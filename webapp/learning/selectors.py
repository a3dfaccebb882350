"""Reads about lessons and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Q, QuerySet

from webapp.errors import Invalid
from webapp.learning.models import AgentWeight, Cycle, Lesson, LessonEvidence, LessonUse
from webapp.learning.vectors import from_bytes
from webapp.workspaces.models import Workspace
from workers.learning import core
from workers.memory.pruning import weight_of

FILTERS: dict[str, Q] = {
    "active": Q(archived_at=None),
    "pinned": Q(archived_at=None, is_pinned=True),
    "archived": Q(archived_at__isnull=False),
    "all": Q(),
}
PAGE_SIZE = 50
SHOWN_EVIDENCE = 50
QUERY_CHARS = 200


def current_cycle(workspace_id: int) -> int:
    """Return how many runs have finished in the workspace: the time that weights go by."""
    return Cycle.objects.filter(workspace_id=workspace_id).aggregate(Max("number"))["number__max"] or 0


def times_seen(lesson_id: int) -> int:
    """Return how often the mistake was seen: once by a run, however often it tells of it, and once by each that is of none."""
    rows = LessonEvidence.objects.filter(lesson_id=lesson_id)
    runs = rows.exclude(run=None).values("run").distinct().count()
    return runs + rows.filter(run=None).count()


@dataclass(frozen=True, slots=True)
class LessonRow:
    """A lesson with its weight as it is now, 0–1."""

    lesson: Lesson
    weight: float
    idle_cycles: int

    @property
    def percent(self) -> int:
        return round(self.weight * 100)

    @property
    def decided(self) -> int:
        """How many uses have an outcome."""
        return self.lesson.successes + self.lesson.failures


@dataclass(frozen=True, slots=True)
class LessonPage:
    """One page of the list; `next_before` continues it, None at its end."""

    rows: Sequence[LessonRow]
    next_before: int | None


def row_of(lesson: Lesson, cycle: int) -> LessonRow:
    """Return the lesson as a list shows it."""
    return LessonRow(lesson, weight_of(lesson.standing, cycle=cycle), lesson.standing.idle_cycles(cycle))


def lessons_page(
    workspace: Workspace,
    *,
    which: str = "active",
    query: str = "",
    before: int | None = None,
    limit: int = PAGE_SIZE,
) -> LessonPage:
    """Return lessons, newest first, from below the id `before`; `query` is looked for in their texts.

    Raises:
        Invalid: there is no such filter.
    """
    if which not in FILTERS:
        raise Invalid(f"The filter is one of {', '.join(FILTERS)}.")
    rows: QuerySet[Lesson] = Lesson.objects.filter(FILTERS[which], workspace=workspace)
    for word in query[:QUERY_CHARS].replace("\x00", "").split():
        rows = rows.filter(
            Q(pattern__icontains=word) | Q(cause__icontains=word) | Q(solution__icontains=word)
        )
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.defer("vector", "goal_vector").order_by("-pk")[: limit + 1])
    cycle = current_cycle(workspace.pk)
    shown = [row_of(lesson, cycle) for lesson in found[:limit]]
    return LessonPage(shown, found[limit - 1].pk if len(found) > limit else None)


def evidence_of(lesson: Lesson) -> list[LessonEvidence]:
    """Return where the lesson was learned, newest first."""
    return list(lesson.evidence.select_related("by", "run", "change_set").order_by("-pk")[:SHOWN_EVIDENCE])


def uses_of(lesson: Lesson) -> list[LessonUse]:
    """Return to which runs it was given, newest first."""
    return list(lesson.uses.select_related("run").order_by("-pk")[:SHOWN_EVIDENCE])


def candidates(workspace_id: int) -> list[core.Lesson]:
    """Return the workspace's lessons that can be given, as `LessonCore` takes them."""
    rows = Lesson.objects.filter(workspace_id=workspace_id, archived_at=None, is_embedded=True)
    found = []
    for row in rows.order_by("pk"):
        vector = from_bytes(row.vector)
        if vector is not None:
            found.append(
                core.Lesson(
                    lesson_id=row.pk, pattern=row.pattern, cause=row.cause, solution=row.solution,
                    standing=row.standing, vector=vector, goal_vector=from_bytes(row.goal_vector),
                )
            )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True)
class AgentStanding:
    """How an agent does in a workspace, at one kind of goal or (`kind` empty) at all of them."""

    agent: str
    kind: str
    weight: float
    successes: int
    failures: int


def agent_weights(workspace: Workspace, *, kind: str = "") -> list[AgentStanding]:
    """Return the agents that have worked here, the one that does best first; with `kind`, at that kind of goal.

    An agent that nobody has called yet is not among them: it counts 0.5 (`unknown_weight`).
    """
    rows = AgentWeight.objects.filter(workspace=workspace)
    if kind:
        rows = rows.filter(kind=kind)
    cycle = current_cycle(workspace.pk)
    by_agent: dict[str, list[AgentWeight]] = {}
    for row in rows:
        by_agent.setdefault(row.agent, []).append(row)
    found = [_standing_of(agent, kind, known, cycle) for agent, known in by_agent.items()]
    return sorted(found, key=lambda one: (-one.weight, one.agent))


def _standing_of(agent: str, kind: str, rows: Sequence[AgentWeight], cycle: int) -> AgentStanding:
    # Over several kinds, the best counts: an agent is not worse for being called for one thing only.
    weight = max(weight_of(row.standing, cycle=cycle) for row in rows)
    return AgentStanding(
        agent, kind, weight, sum(row.successes for row in rows), sum(row.failures for row in rows)
    )


def agents_by_weight(workspace: Workspace, agents: Sequence[str]) -> list[str]:
    """Return the agents in the order in which they are suggested: who does best here first, else as given."""
    known = {one.agent: one.weight for one in agent_weights(workspace)}
    return sorted(agents, key=lambda agent: -known.get(agent, UNKNOWN_WEIGHT))


UNKNOWN_WEIGHT = weight_of(AgentWeight().standing, cycle=0)
"""Of an agent of which nothing is known yet."""


def job_lesson(lesson: core.Lesson | Lesson) -> dict[str, Any]:
    """Return a lesson as a job carries it."""
    lesson_id = lesson.pk if isinstance(lesson, Lesson) else lesson.lesson_id
    return {
        "id": lesson_id,
        "pattern": lesson.pattern,
        "cause": lesson.cause,
        "solution": lesson.solution,
    }
