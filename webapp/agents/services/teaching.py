"""What runs teach the workspace, and what they are taught."""

from __future__ import annotations

from typing import Any

from webapp.agents.models import Run, SteeringNote
from webapp.agents.services.recording import hold, run_of
from webapp.learning import services as learning
from workers import events as engine
from workers.learning.core import LessonCore

core = LessonCore()


def lessons_for(run: Run) -> list[dict[str, Any]]:
    """Return the lessons that fit the run's goal, as its job carries them; an agent without a model reads none."""
    if not run.model_choice:
        return []
    return learning.give_lessons(run_id=run.pk, workspace_id=run.workspace_id, goal=run.goal)


def record_lesson(event: engine.LessonObserved) -> None:
    """The run tells of a mistake."""
    run = run_of(event)
    if run is None:
        return
    hold(run, event, set())
    learning.observe_event(workspace=run.workspace, event=event, goal=run.goal)


def teach_steering(run: Run, note: SteeringNote) -> None:
    """A person told the run to do otherwise; answers and approvals correct nothing."""
    if note.kind in (SteeringNote.Kind.MESSAGE, SteeringNote.Kind.REDIRECT):
        learning.observe(
            workspace=run.workspace,
            observation=core.from_steering(text=note.text, goal=run.goal),
            origin=f"note:{note.pk}",
            run_id=run.pk,
            step_id=note.step_id,
            by=note.by,
        )
