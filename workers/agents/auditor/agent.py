"""@auditor: judges whether a goal is reached, by reading the files as they are. It changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.agents.auditor import prompts
from workers.agents.auditor.core import AuditorCore
from workers.agents.base import Outcome, RunState
from workers.agents.errors import ModelStuck
from workers.agents.toolloop.agent import ToolLoopAgent, model_of
from workers.agents.toolloop.conversation import Turn
from workers.tools.base import Toolbox, object_schema
from workers.tools.finish import Finish
from workers.tools.reading import ListFiles, ReadFile, Search
from workers.tools.text import bound


class FinishAudit(Finish):
    description = "End the audit with your verdict."
    parameters = object_schema(
        ("is_reached", "reason", "answer"),
        is_reached={"type": "boolean"},
        reason={"type": "string", "description": "What you saw, with paths and lines"},
        next={"type": "string", "description": "What to do next; empty when it is reached"},
        answer={"type": "string", "description": "The verdict in one sentence"},
    )


class AuditorAgent(ToolLoopAgent):
    """One run is one verdict. A model that gives none fails the run: silence is no verdict."""

    name = "auditor"
    examples = prompts.EXAMPLES
    core: AuditorCore

    def __init__(self) -> None:
        super().__init__()
        self.core = AuditorCore()

    def open_tools(self, run: RunState) -> Toolbox:
        return Toolbox([ListFiles(), ReadFile(), Search(), FinishAudit()])

    def instructions(self, run: RunState) -> str:
        return prompts.SYSTEM

    async def opening(self, run: RunState) -> str:
        listing = (await ListFiles().call({}, self.context)).text
        return self.core.opening_text(
            self.core.goal_of(run.job), listing=bound(listing, self.context.output_chars // 2)
        )

    async def without_model(self, run: RunState) -> Outcome | None:
        raise ModelStuck(prompts.TOO_SMALL.format(model=model_of(run).choice.model))

    async def on_finish(self, run: RunState, turn: Turn, arguments: Mapping[str, Any]) -> Outcome | None:
        verdict = self.core.read_verdict(arguments)
        if verdict is None:
            turn.notes.append(prompts.UNCLEAR)
            return None
        return Outcome(answer=self.core.answer_text(verdict))

    async def outcome(
        self, run: RunState, answer: str, arguments: Mapping[str, Any] | None = None
    ) -> Outcome:
        """A model that ended in words alone has given no verdict."""
        raise ModelStuck(f"The model gave no verdict. Its last words: {bound(answer, 500)}")
