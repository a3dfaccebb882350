"""What people do with lessons, and what time does with them."""

from __future__ import annotations

from typing import Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.errors import Conflict, Invalid, NotFound
from webapp.events.publish import publish_on_commit
from webapp.learning import events
from webapp.learning.models import Lesson
from webapp.learning.selectors import current_cycle
from webapp.learning.services.observing import core, without_secrets
from webapp.learning.services.settling import make_room
from webapp.workspaces.models import Workspace
from workers.learning.lesson import Observation, key_of
from workers.memory.pruning import IDLE_CYCLES, is_faded
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
MAX_KEPT: Final = 5_000
"""Of one workspace, archived ones too: each new mistake is compared with all of them."""


def _checked(workspace: Workspace, pattern: str, cause: str, solution: str) -> Observation:
    observation = core.observe("person", pattern=pattern, cause=cause, solution=solution)
    if observation is None:
        raise Invalid("Say in a sentence what goes wrong.", field="pattern")
    return without_secrets(workspace, observation)


@transaction.atomic
def write_lesson(
    *, workspace: Workspace, written_by: User, pattern: str, cause: str = "", solution: str = ""
) -> Lesson:
    """Return a lesson that a person has written; the relay embeds it, and it is given from the next run on.

    Raises:
        Invalid: it says too little.
        Conflict: there is one of the same words, or there are too many.
    """
    said = _checked(workspace, pattern, cause, solution)
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    if Lesson.objects.filter(workspace=workspace, key=key_of(said.pattern)).exists():
        raise Conflict("There is a lesson of these words, perhaps in the archive.", field="pattern")
    if Lesson.objects.filter(workspace=workspace).count() >= MAX_KEPT:
        raise Conflict(f"There are {MAX_KEPT:,} lessons with those in the archive. Delete some.")
    make_room(workspace.pk, current_cycle(workspace.pk))
    lesson = Lesson.objects.create(
        workspace=workspace,
        key=key_of(said.pattern),
        pattern=said.pattern,
        cause=said.cause,
        solution=said.solution,
        source=Lesson.Source.PERSON,
        last_cycle=current_cycle(workspace.pk),
        edited_by=written_by,
    )
    _announce(lesson, "learned")
    return lesson


@transaction.atomic
def edit_lesson(
    *,
    lesson: Lesson,
    edited_by: User,
    pattern: str | None = None,
    cause: str | None = None,
    solution: str | None = None,
    seen: str = "",
) -> Lesson:
    """Return the lesson in a person's words, which no later evidence changes; what is None stays as it stands.

    `seen` is the digest of the words that the person changed; without it, whatever stands there is replaced.

    Raises:
        Invalid: it says too little.
        NotFound: it was deleted meanwhile; so for what is done with lessons below.
        Conflict: there is another one of the same words, or it says something else by now than what was seen (`seen` is the
            digest of that).
    """
    row = _locked(lesson)
    said = _checked(
        lesson.workspace,
        row.pattern if pattern is None else pattern,
        row.cause if cause is None else cause,
        row.solution if solution is None else solution,
    )
    _check_seen(row, seen)
    if row.pattern != said.pattern:
        row.key, row.is_embedded = key_of(said.pattern), False
    row.pattern, row.cause, row.solution, row.edited_by = said.pattern, said.cause, said.solution, edited_by
    row.last_cycle = max(row.last_cycle, current_cycle(row.workspace_id))
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict("There is another lesson of these words.", field="pattern") from error
    _announce(row, "edited")
    return row


def _locked(lesson: Lesson) -> Lesson:
    row = Lesson.objects.select_for_update().filter(pk=lesson.pk).first()
    if row is None:
        raise NotFound("It was deleted meanwhile.")
    return row


def _check_seen(row: Lesson, seen: str) -> None:
    if seen and seen != row.seen:
        now = " · ".join(filter(None, (row.pattern, row.cause, row.solution)))
        raise Conflict(
            f"Its words were changed while you wrote. They are now: {now}. Nothing of yours is saved yet: save again to put "
            "yours in their place.",
            seen=row.seen,
        )


@transaction.atomic
def pin_lesson(*, lesson: Lesson, is_pinned: bool, seen: str = "") -> Lesson:
    """Return the lesson, pinned (it never decays) or not; pinning takes it out of the archive.

    Raises:
        Conflict: it says something else by now than what was seen, as `edit_lesson`.
    """
    row = _locked(lesson)
    _check_seen(row, seen)
    row.is_pinned = is_pinned
    row.last_cycle = max(row.last_cycle, current_cycle(row.workspace_id))
    row.archived_at = None if is_pinned else row.archived_at
    row.save(update_fields=["is_pinned", "last_cycle", "archived_at", "updated_at"])
    _announce(row, "pinned" if is_pinned else "unpinned")
    return row


@transaction.atomic
def archive_lesson(*, lesson: Lesson) -> Lesson:
    """Return the lesson, put away: it is given to nobody until it is brought back or its mistake is seen again."""
    row = _locked(lesson)
    if row.archived_at is None:
        row.archived_at, row.is_pinned = timezone.now(), False
        row.save(update_fields=["archived_at", "is_pinned", "updated_at"])
        _announce(row, "archived")
    return row


@transaction.atomic
def restore_lesson(*, lesson: Lesson) -> Lesson:
    """Return the lesson, brought back from the archive as if it had just been used."""
    row = _locked(lesson)
    if row.archived_at is not None:
        row.archived_at, row.last_cycle = None, current_cycle(row.workspace_id)
        row.save(update_fields=["archived_at", "last_cycle", "updated_at"])
        _announce(row, "restored")
    return row


@transaction.atomic
def delete_lesson(*, lesson: Lesson) -> None:
    """Delete the lesson and what is known of it."""
    lesson_id, workspace_id = lesson.pk, lesson.workspace_id
    lesson.delete()
    publish_on_commit(workspace_id, events.LessonDeleted(lesson_id=lesson_id))


@transaction.atomic
def archive_faded(workspace_id: int) -> list[int]:
    """Return the lessons that were put away since they are light and nobody needed them for more than 50 cycles.

    Called twice in one cycle it does nothing the second time.
    """
    cycle = current_cycle(workspace_id)
    idle = Lesson.objects.select_for_update().filter(
        workspace_id=workspace_id, archived_at=None, is_pinned=False, last_cycle__lt=cycle - IDLE_CYCLES
    )
    faded = [row for row in idle.defer("vector", "goal_vector") if is_faded(row.standing, cycle=cycle)]
    for row in faded:
        row.archived_at = timezone.now()
        row.save(update_fields=["archived_at", "updated_at"])
        _announce(row, "archived")
    return [row.pk for row in faded]


def _announce(lesson: Lesson, change: str) -> None:
    publish_on_commit(
        lesson.workspace_id,
        events.LessonChanged(lesson_id=lesson.pk, pattern=lesson.pattern, change=change),
    )
