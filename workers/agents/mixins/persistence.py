"""Taking up a run where an earlier attempt left it. The files come from its last checkpoint
(`Workplace.open`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from workers.agents.base import BaseAgent, RunState
from workers.reasoning.tree import Step


def is_turn(step: Mapping[str, Any]) -> bool:
    """Return whether a finished step is a turn of the conversation: a model's answer that is no look at its own work."""
    is_answer = step["kind"] == "model_call" and step["status"] == "ok"
    return is_answer and "reflection" not in (step.get("detail") or {})


class PersistenceMixin(BaseAgent):
    """Keeps what an effect changed, and reads what finished steps tell, so that none of them is done again.

    Checkpoints are commits that the step names (`checkpoint`), the history is the run's finished steps, and a run is restored
    from both on any worker (`Workplace.open` takes the files from the last checkpoint). Expects that steps name their call in
    `detail["call_id"]` and keep their evidence in `detail["evidence"]`.
    """

    async def checkpoint(self, run: RunState, step: Step) -> None:
        """Commit the files as they are, and name the commit in the step: a later attempt begins there."""
        step.detail["checkpoint"] = await asyncio.to_thread(run.workplace.checkpoint, step.title)

    async def restore(self, run: RunState) -> None:
        """Set the files back to the newest checkpoint."""
        await asyncio.to_thread(run.workplace.restore)

    def finished_call(self, run: RunState, call_id: str) -> dict[str, Any] | None:
        """Return the detail of the finished step that did this call, or None."""
        for step in run.history:
            detail: dict[str, Any] = step.get("detail") or {}
            if detail.get("call_id") == call_id:
                return detail
        return None

    def last_model_step(self, run: RunState) -> str | None:
        """Return the id of the newest finished model call, to hang the calls under that it asked for."""
        return next((step["step_id"] for step in reversed(run.history) if is_turn(step)), None)

    def recall_evidence(self, run: RunState) -> None:
        """Take up the evidence that finished steps gathered."""
        for step in run.history:
            detail = step.get("detail") or {}
            if evidence := detail.get("evidence"):
                run.evidence.append({**evidence, "output": detail.get("result", "")})
