"""Mistakes as they are seen: written down at once, without a model, in the transaction of whoever saw them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from webapp.accounts.models import User
from webapp.codehealth.rules import patterns_of
from webapp.learning.models import Lesson, LessonEvidence
from webapp.learning.selectors import times_seen
from webapp.workspaces.models import Workspace
from workers.learning.core import LessonCore
from workers.learning.lesson import (
    CAUSE_CHARS,
    EVIDENCE_CHARS,
    GOAL_CHARS,
    PATTERN_CHARS,
    SOLUTION_CHARS,
    Observation,
    one_line,
)
from workers.tools.text import bound

core = LessonCore()


def observe(
    *,
    workspace: Workspace,
    observation: Observation | None,
    origin: str,
    run_id: UUID | str | None = None,
    step_id: str = "",
    change_set_id: int | None = None,
    hunk_key: str = "",
    by: User | None = None,
) -> LessonEvidence | None:
    """Write down a mistake; the relay finds within half a second which lesson it belongs to.

    Secrets in it are hidden before it is written. What has no words (None) and what comes from the same `origin` as an earlier
    one writes nothing.
    """
    if observation is None:
        return None
    hidden = without_secrets(workspace, observation)
    row, is_new = LessonEvidence.objects.get_or_create(
        workspace=workspace,
        origin=origin[:120],
        defaults={
            "source": hidden.source,
            "pattern": hidden.pattern,
            "cause": hidden.cause,
            "solution": hidden.solution,
            "text": hidden.evidence,
            "goal": hidden.goal,
            "run_id": run_id,
            "step_id": step_id[:40],
            "change_set_id": change_set_id,
            "hunk_key": hunk_key[:64],
            "by": by,
        },
    )
    return row if is_new else None


def without_secrets(workspace: Workspace, seen: Observation) -> Observation:
    """Return the observation as it may be kept: what the workspace calls a secret stands as `[hidden: rule]`."""
    patterns = patterns_of(workspace)

    def hide(text: str) -> str:
        return patterns.hide_secrets(text.replace("\x00", ""))[0]

    return replace(
        seen,
        pattern=one_line(hide(seen.pattern), PATTERN_CHARS),
        cause=one_line(hide(seen.cause), CAUSE_CHARS),
        solution=one_line(hide(seen.solution), SOLUTION_CHARS),
        evidence=bound(hide(seen.evidence), EVIDENCE_CHARS),
        goal=one_line(hide(seen.goal), GOAL_CHARS),
    )


def withdraw(*, workspace_id: int, origins: list[str]) -> None:
    """Take evidence back whose cause was undone; a lesson that nothing else speaks for goes with it."""
    rows = LessonEvidence.objects.filter(workspace_id=workspace_id, origin__in=origins)
    lesson_ids = list(rows.exclude(lesson=None).values_list("lesson_id", flat=True))
    rows.delete()
    for lesson_id in lesson_ids:
        Lesson.objects.filter(pk=lesson_id).update(hits=times_seen(lesson_id))
    Lesson.objects.filter(
        pk__in=lesson_ids, evidence=None, is_pinned=False, edited_by=None, successes=0
    ).delete()


def observe_event(*, workspace: Workspace, event: Any, goal: str) -> LessonEvidence | None:
    """Write down what a run says of itself (`workers.events.LessonObserved`)."""
    observation = core.observe(
        event.source,
        pattern=event.pattern,
        cause=event.cause,
        solution=event.solution,
        evidence=event.evidence,
        goal=goal,
    )
    return observe(
        workspace=workspace,
        observation=observation,
        origin=f"run:{event.run_id}:{event.run_seq}",
        run_id=event.run_id,
        step_id=event.step_id,
    )
