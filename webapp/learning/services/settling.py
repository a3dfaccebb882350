"""From mistakes seen to lessons: embed, find the lesson that means the same, or make one. Runs in the relay.

The model works outside every transaction. Two settlers at once do no harm: the workspace's row is locked, and evidence that
has its lesson is left alone.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from webapp.events.publish import publish_on_commit
from webapp.learning import events
from webapp.learning.models import Cycle, Lesson, LessonEvidence
from webapp.learning.selectors import current_cycle, row_of, times_seen
from webapp.learning.services.crediting import mark_repeated
from webapp.learning.vectors import embed_all, from_bytes
from webapp.workspaces.models import Workspace
from workers.learning.core import LessonCore
from workers.learning.lesson import key_of
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
core = LessonCore()
BATCH = 16
MAX_LESSONS = 500
"""Of one workspace that are not archived; of more, the lightest is archived for each new one."""


def has_unsettled() -> bool:
    """Return whether anything waits for a vector or a lesson."""
    return (
        LessonEvidence.objects.filter(lesson=None).exists()
        or Lesson.objects.filter(is_embedded=False).exists()
    )


def has_learners() -> bool:
    """Return whether agents have worked here, or somebody wrote a lesson, so that a mistake may be seen at any moment."""
    return Cycle.objects.exists() or Lesson.objects.exists()


def settle_all() -> int:
    """Settle until nothing waits; return how many were settled."""
    done = 0
    while (count := _embed_lessons() + _settle_batch()) > 0:
        done += count
    return done


def _embed_lessons() -> int:
    rows = list(Lesson.objects.filter(is_embedded=False).order_by("pk")[:BATCH])
    for row, vector, goal_vector in zip(
        rows, embed_all([row.pattern for row in rows]), embed_all([row.goal for row in rows]), strict=True
    ):
        # Edited meanwhile, it is embedded again.
        Lesson.objects.filter(pk=row.pk, pattern=row.pattern).update(
            vector=vector, goal_vector=goal_vector, is_embedded=True
        )
    return len(rows)


def _settle_batch() -> int:
    rows = list(LessonEvidence.objects.filter(lesson=None).order_by("pk")[:BATCH])
    vectors = embed_all([row.pattern for row in rows])
    goal_vectors = embed_all([row.goal for row in rows])
    for row, vector, goal_vector in zip(rows, vectors, goal_vectors, strict=True):
        _settle(row, vector, goal_vector)
    return len(rows)


@transaction.atomic
def _settle(evidence: LessonEvidence, vector: bytes, goal_vector: bytes) -> None:
    Workspace.objects.select_for_update().get(pk=evidence.workspace_id)
    row = LessonEvidence.objects.filter(pk=evidence.pk, lesson=None).first()
    if row is None:  # settled or withdrawn meanwhile
        return
    cycle = current_cycle(row.workspace_id)
    lesson = _find(row, vector)
    change = "seen"
    if lesson is None:
        make_room(row.workspace_id, cycle)
        lesson, change = _learned(row, vector, goal_vector), "learned"
    lesson.last_cycle = max(lesson.last_cycle, cycle)
    lesson.archived_at = None
    if lesson.edited_by_id is None:
        lesson.cause = core.completed(lesson.cause, row.cause)
        lesson.solution = core.completed(lesson.solution, row.solution)
    lesson.save()
    row.lesson = lesson
    row.save(update_fields=["lesson"])
    Lesson.objects.filter(pk=lesson.pk).update(hits=times_seen(lesson.pk))
    if row.run_id is not None:
        mark_repeated(lesson, row.run_id)
    publish_on_commit(
        row.workspace_id,
        events.LessonChanged(lesson_id=lesson.pk, pattern=lesson.pattern, change=change),
    )
    log.info("lesson", workspace_id=row.workspace_id, lesson_id=lesson.pk, change=change, source=row.source)


def _find(row: LessonEvidence, raw: bytes) -> Lesson | None:
    """Return the lesson of the same words, else the nearest one of the same meaning, archived ones too."""
    known = Lesson.objects.filter(workspace_id=row.workspace_id)
    same = known.filter(key=key_of(row.pattern)).first()
    vector = from_bytes(raw)
    if same is not None or vector is None:
        return same
    pairs = [
        (pk, from_bytes(kept))
        for pk, kept in known.filter(is_embedded=True).order_by("pk").values_list("pk", "vector")
    ]
    embedded = [(pk, kept) for pk, kept in pairs if kept is not None]
    found = core.find_same(vector, [kept for _, kept in embedded])
    return known.get(pk=embedded[found][0]) if found is not None else None


def _learned(row: LessonEvidence, vector: bytes, goal_vector: bytes) -> Lesson:
    return Lesson(
        workspace_id=row.workspace_id,
        key=key_of(row.pattern),
        pattern=row.pattern,
        cause=row.cause,
        solution=row.solution,
        source=row.source,
        is_embedded=True,
        vector=vector,
        goal=row.goal,
        goal_vector=goal_vector,
    )


def make_room(workspace_id: int, cycle: int) -> None:
    """Put the lightest lesson away where one more would be too many. In a transaction that holds the workspace."""
    rows = Lesson.objects.filter(workspace_id=workspace_id, archived_at=None)
    if rows.count() < MAX_LESSONS:
        return
    unpinned = rows.filter(is_pinned=False).defer("vector", "goal_vector")
    lightest = min(unpinned, key=lambda lesson: (row_of(lesson, cycle).weight, lesson.pk), default=None)
    if lightest is not None:
        Lesson.objects.filter(pk=lightest.pk).update(archived_at=timezone.now())
