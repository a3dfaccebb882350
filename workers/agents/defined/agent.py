"""An agent that people defined in the browser: their instructions and tools, in the loop that all agents share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.agents.base import Outcome, RunState
from workers.agents.coder.core import CoderCore
from workers.agents.defined import prompts
from workers.agents.toolloop.agent import ToolLoopAgent
from workers.errors import ConfigError
from workers.tools.base import Toolbox
from workers.tools.reading import ListFiles
from workers.tools.registry import open_toolbox
from workers.tools.text import bound


class DefinedAgent(ToolLoopAgent):
    """Runs a definition: name, instructions, tools (as `Job.definition` has them).

    Raises:
        ConfigError: the definition lacks one of them.
    """

    core: CoderCore

    def __init__(self, definition: Mapping[str, Any]) -> None:
        super().__init__()
        self.core = CoderCore()
        try:
            self.name = str(definition["name"])
            self.version = str(definition.get("version", self.version))
            self._instructions = str(definition["instructions"])
            self._tools = frozenset(map(str, definition["tools"]))
        except (KeyError, TypeError) as error:
            raise ConfigError(f"the agent's definition cannot be read: {error}") from error

    def open_tools(self, run: RunState) -> Toolbox:
        return open_toolbox(only=self._tools, answers_review=run.job.revision_of is not None)

    def instructions(self, run: RunState) -> str:
        changes = prompts.CHANGES if any(tool.is_effect for tool in self.toolbox) else prompts.READS
        frame = prompts.FRAME.format(name=self.name, changes=changes, instructions=self._instructions)
        return frame + self.whom_it_may_ask(run)

    async def opening(self, run: RunState) -> str:
        listing = ""
        if "list_files" in self._tools:
            listing = bound((await ListFiles().call({}, self.context)).text, self.context.output_chars // 2)
        return self.core.opening_text(
            self.core.goal_of(run.job),
            conversation=run.job.conversation,
            revision_of=run.job.revision_of,
            listing=listing,
        )

    def takes_words(self, run: RunState) -> bool:
        return run.job.revision_of is None

    async def outcome(
        self, run: RunState, answer: str, arguments: Mapping[str, Any] | None = None
    ) -> Outcome:
        revision = run.job.revision_of or {}
        given = (arguments or {}).get("answers")
        goal = self.core.goal_of(run.job)
        return Outcome(
            answer=answer or "Done.",
            title=str(revision.get("title") or self.core.title_of(goal, agent=self.name)),
            summary=f"{answer}\n\n_{run.spending.describe()}._",
            answers=self.core.answers_for(revision.get("comments", ()), given, otherwise=answer),
        )
