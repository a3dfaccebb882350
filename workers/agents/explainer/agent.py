"""@explainer: answers about the code, with places in files that were looked up before anybody reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from workers.agents.base import Outcome, RunState
from workers.agents.explainer import prompts
from workers.agents.explainer.core import ExplainerCore
from workers.agents.explainer.places import Files
from workers.agents.toolloop import prompts as shared
from workers.agents.toolloop.agent import ToolLoopAgent, model_of
from workers.agents.toolloop.conversation import Turn
from workers.tools.base import Toolbox, object_schema
from workers.tools.finish import Finish
from workers.tools.reading import ListFiles, ReadFile, Search, find_text
from workers.tools.text import bound


class FinishExplained(Finish):
    description = (
        "End the work. answer marks each claim with [^1], [^2] …; citations lists their places in that order."
    )
    parameters = object_schema(
        ("answer", "citations"),
        answer={"type": "string"},
        citations={
            "type": "array",
            "items": object_schema(
                ("path", "line", "quote"),
                path={"type": "string"},
                line={"type": "integer", "minimum": 1},
                quote={"type": "string", "description": "The code of that line, copied exactly"},
            ),
        },
    )


class ExplainerAgent(ToolLoopAgent):
    """Reads and answers. What it cites is checked against the files that it read."""

    name = "explainer"
    examples = prompts.EXAMPLES
    core: ExplainerCore

    def __init__(self) -> None:
        super().__init__()
        self.core = ExplainerCore()
        self._was_sent_back = False

    def open_tools(self, run: RunState) -> Toolbox:
        return Toolbox([ListFiles(), ReadFile(), Search(), FinishExplained()])

    def instructions(self, run: RunState) -> str:
        return prompts.SYSTEM

    async def opening(self, run: RunState) -> str:
        listing = (await ListFiles().call({}, self.context)).text
        earlier = self.core.earlier_text(run.job.conversation)
        goal = shared.OPENING.format(goal=self.core.goal_of(run.job))
        return earlier + goal + shared.FILES.format(listing=bound(listing, self.context.output_chars // 2))

    def takes_words(self, run: RunState) -> bool:
        return self._was_sent_back

    async def without_model(self, run: RunState) -> Outcome | None:
        return Outcome(answer=shared.TOO_SMALL.format(model=model_of(run).choice.model, work="explain code"))

    async def on_finish(self, run: RunState, turn: Turn, arguments: Mapping[str, Any]) -> Outcome | None:
        """End with an answer whose citations hold; the model may put others right once."""
        answer, citations = str(arguments.get("answer", "")), arguments.get("citations")
        files = await asyncio.to_thread(self._read, self.core.paths_in(answer, citations))
        verdict = self.core.check(answer, citations, files)
        has_cited = self.core.cites(answer, verdict, files)
        if not self._was_sent_back and not (verdict.is_right and has_cited):
            self._was_sent_back = True
            turn.notes.append(self.core.mend_text(verdict) if verdict.wrong else prompts.CITE)
            return None
        return Outcome(answer=self.core.answer_text(answer, verdict, files))

    async def outcome(
        self, run: RunState, answer: str, arguments: Mapping[str, Any] | None = None
    ) -> Outcome:
        files = await asyncio.to_thread(self._read, self.core.paths_in(answer, None))
        verdict = self.core.check(answer, None, files)
        return Outcome(answer=self.core.answer_text(answer, verdict, files))

    def _read(self, paths: list[str]) -> Files:
        """Return the lines of each file, None for what is no text file of the project."""
        texts = {path: find_text(self.context.files, path) for path in paths}
        return {path: None if text is None else text.splitlines() for path, text in texts.items()}
