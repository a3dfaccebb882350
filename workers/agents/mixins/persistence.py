"""Taking up a run where an earlier attempt left it. The files come from its last checkpoint
(`Workplace.open`)."""

from __future__ import annotations

from typing import Any

from workers.agents.base import RunState


class PersistenceMixin:
    """Reads what finished steps tell, so that none of them is done again.

    Expects that steps name their call in `detail["call_id"]` and keep their evidence in `detail["evidence"]`.
    """

    def finished_call(self, run: RunState, call_id: str) -> dict[str, Any] | None:
        """Return the detail of the finished step that did this call, or None."""
        for step in run.history:
            detail: dict[str, Any] = step.get("detail") or {}
            if detail.get("call_id") == call_id:
                return detail
        return None

    def last_model_step(self, run: RunState) -> str | None:
        """Return the id of the newest finished model call, to hang the calls under that it asked for."""
        return next(
            (
                step["step_id"]
                for step in reversed(run.history)
                if step["kind"] == "model_call" and step["status"] == "ok"
            ),
            None,
        )

    def recall_evidence(self, run: RunState) -> None:
        """Take up the evidence that finished steps gathered."""
        for step in run.history:
            detail = step.get("detail") or {}
            if evidence := detail.get("evidence"):
                run.evidence.append({**evidence, "output": detail.get("result", "")})
