"""What tests of lessons share: a workspace on which agents propose, and a way to store lessons with real vectors."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from tests.framework.people import Company
from tests.webapp.reviews.conftest import Desk, desk
from webapp.agents.models import Run
from webapp.learning import services
from webapp.learning.models import Lesson
from workers.queue import Job

__all__ = ["desk"]
MONEY = "Use Decimal for money; float loses cents."
MONEY_GOAL = "Add a discount to the price calculation, amounts are money."


@dataclass
class School:
    """Stores lessons and runs in the company's workspace."""

    desk: Desk

    @property
    def company(self) -> Company:
        return self.desk.company

    def lesson(self, pattern: str = MONEY, **fields: Any) -> Lesson:
        """Return a lesson that a person wrote and the relay has embedded."""
        lesson = services.write_lesson(
            workspace=self.company.workspace, written_by=self.company.member, pattern=pattern
        )
        services.settle_all()
        Lesson.objects.filter(pk=lesson.pk).update(**fields)
        lesson.refresh_from_db()
        return lesson

    def run(self, goal: str = MONEY_GOAL, **fields: Any) -> Run:
        choice = {"provider": "openai", "model": "m", "base_url": "http://localhost:1"}
        run = self.desk.run(**({"agent": "coder", "goal": goal, "model_choice": choice} | fields))
        job = Job(
            run_id=str(run.pk), fence=1, workspace_id=run.workspace_id, agent=run.agent, goal=goal, base_commit="", model=choice
        )  # fmt: skip
        run.job = asdict(job)
        run.save(update_fields=["job"])
        return run

    def give(self, run: Run) -> list[int]:
        given = services.give_lessons(run_id=run.pk, workspace_id=run.workspace_id, goal=run.goal)
        return [lesson["id"] for lesson in given]

    def finish(self, goal: str = "Anything", agent: str = "coder", times: int = 1) -> None:
        """Let so many runs finish, each a cycle."""
        for _ in range(times):
            run = Run(id=uuid.uuid4(), workspace=self.company.workspace, agent=agent, goal=goal)
            services.record_cycle(run)


@pytest.fixture
def school(desk: Desk) -> School:
    return School(desk)
