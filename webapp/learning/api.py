"""Lessons over REST: what the pages show and do."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Path, Query, Router, Status

from webapp.accounts.access import require_scope
from webapp.api import ErrorReply
from webapp.learning import schemas, selectors, services
from webapp.learning.access import lesson_for
from webapp.learning.models import Lesson
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role
from workers.learning.goals import KINDS

router = Router(tags=["lessons"])
ERRORS: dict[Any, Any] = {code: ErrorReply for code in (401, 403, 404, 422)}
CLASHING: dict[Any, Any] = {**ERRORS, 409: ErrorReply}
BIGGEST_ID = 2**63 - 1
Id: Any = Path(..., ge=1, le=BIGGEST_ID)
ROOT = "/{workspace_id}/lessons"
ONE = f"{ROOT}/{{lesson_id}}"
Which = Literal["active", "pinned", "archived", "all"]


def _mine(request: HttpRequest, workspace_id: int, lesson_id: int) -> Lesson:
    return lesson_for(require_scope(request, "write"), workspace_id, lesson_id, role=Role.MEMBER)


def _told(lesson: Lesson) -> dict[str, Any]:
    return schemas.lesson(selectors.row_of(lesson, selectors.current_cycle(lesson.workspace_id)))


@router.get(ROOT, response={200: schemas.LessonsPage, **ERRORS}, summary="List lessons")
def list_lessons(
    request: HttpRequest,
    workspace_id: int = Id,
    which: Which = "active",
    q: str = Query("", max_length=selectors.QUERY_CHARS, description="Words that its text must hold."),
    before: int | None = Query(None, ge=1, le=BIGGEST_ID),
    limit: int = Query(50, ge=1, le=100),
) -> Any:
    """Return what the workspace has learned, newest first."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    page = selectors.lessons_page(workspace, which=which, query=q, before=before, limit=limit)
    return {"lessons": [schemas.lesson(row) for row in page.rows], "next_before": page.next_before}


@router.post(ROOT, response={201: schemas.LessonOut, **CLASHING}, summary="Write a lesson")
def write_lesson(request: HttpRequest, lesson: schemas.LessonIn, workspace_id: int = Id) -> Any:
    """Write a lesson; within a second it is given to runs that it fits."""
    user = require_scope(request, "write")
    workspace = workspace_for(user, workspace_id, role=Role.MEMBER)
    return Status(201, _told(services.write_lesson(workspace=workspace, written_by=user, **lesson.dict())))


@router.get(ONE, response={200: schemas.LessonDetail, **ERRORS}, summary="Read a lesson")
def read_lesson(request: HttpRequest, workspace_id: int = Id, lesson_id: int = Id) -> Any:
    """Return a lesson, where it was learned, and to which runs it was given with what outcome."""
    lesson = lesson_for(require_scope(request, "read"), workspace_id, lesson_id)
    row = selectors.row_of(lesson, selectors.current_cycle(lesson.workspace_id))
    return schemas.detail(row, selectors.evidence_of(lesson), selectors.uses_of(lesson))


@router.patch(ONE, response={200: schemas.LessonOut, **CLASHING}, summary="Edit or pin a lesson")
def change_lesson(
    request: HttpRequest, change: schemas.LessonChange, workspace_id: int = Id, lesson_id: int = Id
) -> Any:
    """Change its words, which no later evidence changes then, or pin it."""
    lesson = _mine(request, workspace_id, lesson_id)
    words = change.dict(include={"pattern", "cause", "solution"}, exclude_none=True)
    seen = change.seen or ""
    if words:
        edited_by = require_scope(request, "write")
        lesson = services.edit_lesson(lesson=lesson, edited_by=edited_by, seen=seen, **words)
        seen = ""
    if change.is_pinned is not None:
        lesson = services.pin_lesson(lesson=lesson, is_pinned=change.is_pinned, seen=seen)
    return _told(lesson)


@router.delete(ONE, response={204: None, **ERRORS}, summary="Delete a lesson")
def delete_lesson(request: HttpRequest, workspace_id: int = Id, lesson_id: int = Id) -> Any:
    """Delete a lesson and what is known of it; archiving keeps it."""
    services.delete_lesson(lesson=_mine(request, workspace_id, lesson_id))
    return Status(204, None)


@router.post(f"{ONE}/archive", response={200: schemas.LessonOut, **ERRORS}, summary="Archive a lesson")
def archive_lesson(request: HttpRequest, workspace_id: int = Id, lesson_id: int = Id) -> Any:
    """Put it away: it is given to nobody until it is brought back or its mistake is seen again."""
    return _told(services.archive_lesson(lesson=_mine(request, workspace_id, lesson_id)))


@router.post(f"{ONE}/restore", response={200: schemas.LessonOut, **ERRORS}, summary="Bring a lesson back")
def restore_lesson(request: HttpRequest, workspace_id: int = Id, lesson_id: int = Id) -> Any:
    """Bring it back from the archive, as if it had just been used."""
    return _told(services.restore_lesson(lesson=_mine(request, workspace_id, lesson_id)))


@router.get(
    "/{workspace_id}/agent-weights",
    response={200: list[schemas.AgentWeightOut], **ERRORS},
    summary="Read how agents do",
)
def list_agent_weights(
    request: HttpRequest,
    workspace_id: int = Id,
    kind: str = Query("", max_length=20, description=f"One of {', '.join(KINDS)}; empty over all."),
) -> Any:
    """Return the agents that have worked here, the one that does best first."""
    return selectors.agent_weights(workspace_for(require_scope(request, "read"), workspace_id), kind=kind)
