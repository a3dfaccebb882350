"""What the API says about lessons."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Field, Schema

from webapp.api import Body, SeenIn, SeenOut
from webapp.learning.models import LessonEvidence, LessonUse
from webapp.learning.selectors import LessonRow
from workers.learning.lesson import CAUSE_CHARS, PATTERN_CHARS, SOLUTION_CHARS

Source = Literal["reflection", "test", "hunk", "comment", "steering", "person"]


class LessonIn(Body):
    """A lesson in a person's words."""

    pattern: str = Field(max_length=PATTERN_CHARS, examples=["Use Decimal for money; float loses cents."])
    cause: str = Field("", max_length=CAUSE_CHARS)
    solution: str = Field("", max_length=SOLUTION_CHARS)


class LessonChange(Body):
    """What to change; what is left out stays."""

    pattern: str | None = Field(None, max_length=PATTERN_CHARS)
    cause: str | None = Field(None, max_length=CAUSE_CHARS)
    solution: str | None = Field(None, max_length=SOLUTION_CHARS)
    is_pinned: bool | None = Field(None, description="A pinned lesson never decays.")
    seen: SeenIn = None


class LessonOut(Schema):
    """A lesson as it stands."""

    id: int = Field(examples=[7])
    pattern: str
    cause: str
    solution: str
    source: Source
    weight: float = Field(description="0.05–1: how it has done, less what it lost by lying idle.")
    hits: int = Field(description="How often the mistake was seen.")
    successes: int
    failures: int
    idle_cycles: int = Field(description="Finished runs of the workspace since its last use.")
    is_pinned: bool
    archived_at: datetime | None
    created_at: datetime
    seen: SeenOut


class LessonsPage(Schema):
    """One page of lessons, newest first."""

    lessons: list[LessonOut]
    next_before: int | None = Field(description="Give it as `before` for the next page; null at the end.")


class LessonEvidenceOut(Schema):
    """One time that the mistake was seen."""

    id: int
    source: Source
    pattern: str
    cause: str
    solution: str
    text: str
    run_id: UUID | None
    step_id: str
    change_set_id: int | None
    hunk_key: str
    by: str | None
    created_at: datetime


class LessonUseOut(Schema):
    """A run that was given the lesson."""

    run_id: UUID
    similarity: float
    outcome: Literal["open", "helped", "failed", "repeated"]
    created_at: datetime


class LessonDetail(LessonOut):
    """A lesson with its evidence and uses, the newest 50 of each."""

    evidence: list[LessonEvidenceOut]
    uses: list[LessonUseOut]


class AgentWeightOut(Schema):
    """How an agent does in this workspace."""

    agent: str
    kind: str = Field(description="The kind of goal that was asked for; empty over all kinds.")
    weight: float
    successes: int
    failures: int


def lesson(row: LessonRow) -> dict[str, Any]:
    """Return a `LessonOut`."""
    names = (
        "pattern", "cause", "solution", "source", "hits", "successes", "failures", "is_pinned", "archived_at", "created_at",
        "seen",
    )  # fmt: skip
    return {name: getattr(row.lesson, name) for name in names} | {
        "id": row.lesson.pk,
        "weight": row.weight,
        "idle_cycles": row.idle_cycles,
    }


def evidence(row: LessonEvidence) -> dict[str, Any]:
    """Return a `LessonEvidenceOut`."""
    names = (
        "source", "pattern", "cause", "solution", "text", "run_id", "step_id", "change_set_id", "hunk_key", "created_at",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names} | {
        "id": row.pk,
        "by": row.by.display_name if row.by else None,
    }


def detail(row: LessonRow, seen: list[LessonEvidence], uses: list[LessonUse]) -> dict[str, Any]:
    """Return a `LessonDetail`."""
    return lesson(row) | {"evidence": [evidence(one) for one in seen], "uses": uses}
