"""How @coder works with a model that has no tools of its own: it is led by a `Guide`, a step at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from workers.agents.base import RunState
from workers.agents.coder import prompts
from workers.agents.coder.core import TestState
from workers.agents.coder.guide import Guide, Standing
from workers.agents.mixins.orchestration import Called
from workers.agents.toolloop.conversation import Turn
from workers.agents.toolloop.overview import show_sources
from workers.tools.base import ToolContext
from workers.tools.text import bound

OUTPUT_CHARS = 1200
"""Of a failing test run: a small model reads the end of it, and no more."""
TestNow = Callable[[RunState], Awaitable[tuple[TestState, str]]]


class Guiding:
    """Says to a guided model what follows from its last call, and keeps the best state of the files."""

    def __init__(self, goal: str, context: ToolContext, *, head: str, test_now: TestNow | None) -> None:
        self.guide = Guide(goal)
        self._goal = goal
        self._context = context
        self._head = head
        self._test_now = test_now
        self._was_told_of_no_change = False

    async def sources(self, failing: str, *, limit: int) -> str:
        """Return the files that matter, as they are now."""
        return await asyncio.to_thread(show_sources, self._context.files, self._goal, failing, limit=limit)

    def begin(self, *, failed: int | None) -> None:
        """Take the state before any edit as the best so far."""
        self.guide.judge(Standing(self._head, failed == 0, failed))

    async def after_call(self, run: RunState, turn: Turn, called: Called) -> None:
        """After a change of the files: run the tests, tell what they say, and what to look at next."""
        commit = await asyncio.to_thread(lambda: run.workplace.head)
        if called.result.facts.get("is_same"):
            self._head = commit
            turn.notes.append(f"{prompts.EDIT_IS_SAME}\n{self._next()}")
            return
        if commit == self._head:
            return
        self._head = commit
        if self._test_now is None:
            turn.notes.append(self._next())
            return
        state, output = await self._test_now(run)
        should_go_back = self.guide.judge(Standing(commit, state.is_ok, state.failed))
        counts = output.partition("\n")[0].partition(". ")[2].partition(". ")[0]
        if state.is_ok:
            turn.notes.append(f"{prompts.EDIT_PASSES.format(counts=counts)}\n{self._next()}")
        elif should_go_back:
            await self.go_back(run)
            sources = await self.sources(output, limit=self._context.output_chars)
            turn.notes.append(prompts.EDIT_TAKEN_BACK.format(sources=sources))
        else:
            shown = bound(output.partition("\n")[2], OUTPUT_CHARS)
            turn.notes.append(prompts.EDIT_FAILS.format(counts=counts, output=shown))

    async def on_finish(self, run: RunState) -> str | None:
        """Return what is to be done before the run may end, if anything."""
        if await asyncio.to_thread(lambda: run.workplace.has_offer):
            return self.guide.next_point()
        if self._was_told_of_no_change:
            return None
        self._was_told_of_no_change = True
        return prompts.NOTHING_CHANGED

    async def go_back(self, run: RunState) -> None:
        """Set the files back to the best state there was, unless they are it."""
        best = self.guide.best
        if best is None or not self.guide.is_behind:
            return
        title = "Take the last edits back: fewer tests failed before them"
        async with run.recorder.step("tool_call", title, is_effect=True) as step:
            await asyncio.to_thread(run.workplace.return_to, best.commit)
            step.detail["checkpoint"] = best.commit
        self._head = best.commit
        self.guide.judge(best)

    def _next(self) -> str:
        return self.guide.next_point() or prompts.ALL_POINTS_SEEN
