"""@coder: a full tool loop with whatever model a person chose, until it works or the budget ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from workers.agents.base import Outcome, RunState
from workers.agents.coder import prompts
from workers.agents.coder.core import ANYWAY, CoderCore, TestState
from workers.agents.coder.guiding import Guiding
from workers.agents.lineage import DELEGATE
from workers.agents.mixins.orchestration import Called
from workers.agents.toolloop.agent import COMMAND_TIMEOUT_S, ToolLoopAgent, model_of
from workers.agents.toolloop.asking import Asker, Dialogue
from workers.agents.toolloop.conversation import Conversation, Turn
from workers.errors import BudgetExceeded
from workers.providers.types import ToolCall
from workers.registry import load
from workers.tools.base import Tool, Toolbox
from workers.tools.reading import ListFiles
from workers.tools.registry import DELEGATION, KNOWLEDGE, open_toolbox
from workers.tools.testing import detect_tests
from workers.tools.text import bound

MAX_SOURCES_CHARS = 24_000
SMALL_MODEL_SIZE = "135 million"


class CoderAgent(ToolLoopAgent):
    """Plans, acts and verifies. A model without tools of its own is led by a `Guide`."""

    name = "coder"
    examples = prompts.EXAMPLES
    core: CoderCore

    def __init__(self) -> None:
        super().__init__()
        self.core = CoderCore()
        self._tests: TestState | None = None
        self._baseline_failed: int | None = None
        self._refused_trees: set[str] = set()
        self._has_tests = False
        self._guiding: Guiding | None = None
        self._goal = ""
        self._wants_change = False

    # --- the beginning -------------------------------------------------------------------------------------------

    async def begin(self, run: RunState) -> None:
        self._goal = self.core.goal_of(run.job)
        self._wants_change = run.job.revision_of is not None or self.core.is_change_request(self._goal)
        if self._is_only_chatting(run):
            await self.introduce(run)
            return
        await super().begin(run)

    def open_tools(self, run: RunState) -> Toolbox:
        more = self._more_tools(run) if model_of(run).capabilities().has_tools else ()
        return open_toolbox(more=more, answers_review=run.job.revision_of is not None)

    def _more_tools(self, run: RunState) -> tuple[str, ...]:
        """Return the tools beyond the usual ones: what is known, and other agents where it may call any."""
        may_delegate = bool(run.job.agents) and DELEGATE in run.lineage.scope
        handing_on = tuple(
            name for name, tool in DELEGATION.items() if may_delegate and _may_be_called(run, load(tool)())
        )
        return *KNOWLEDGE, *handing_on

    def instructions(self, run: RunState) -> str:
        return prompts.SYSTEM + self.whom_it_may_ask(run)

    async def opening(self, run: RunState) -> str:
        files = self.context.files
        limit = self.context.output_chars
        listing = (await ListFiles().call({}, self.context)).text
        plan = await asyncio.to_thread(detect_tests, files)
        self._has_tests = plan is not None
        baseline = ""
        if self._has_tests and self._wants_change and run.job.revision_of is None:
            baseline = await self._baseline(run, limit=limit // 2)
        opening = self.core.opening_text(
            self._goal,
            conversation=run.job.conversation,
            revision_of=run.job.revision_of,
            listing=bound(listing, limit // 2),
            baseline=baseline,
        )
        has_tools = model_of(run).capabilities().has_tools
        is_guided = not has_tools and self._wants_change and run.job.revision_of is None
        return opening + (await self._guidance(run, baseline) if is_guided else "")

    async def _guidance(self, run: RunState, baseline: str) -> str:
        """Begin to guide the model; return what it is shown for that: the files that matter and the points."""
        head = await asyncio.to_thread(lambda: run.workplace.head)
        test_now = self._test_now if self._has_tests else None
        self._guiding = Guiding(self._goal, self.context, head=head, test_now=test_now)
        if self._has_tests and not run.history:
            self._guiding.begin(failed=self._baseline_failed)
        # The context's tokens, taken as characters: about a quarter of it.
        limit = min(MAX_SOURCES_CHARS, model_of(run).capabilities().context_tokens)
        sources = await self._guiding.sources("" if self._baseline_failed == 0 else baseline, limit=limit)
        return self.core.guidance_text(sources)

    async def _baseline(self, run: RunState, *, limit: int) -> str:
        """Run the tests before anything changes, once a run, so that the model sees what fails and people
        what was."""
        detail = self.finished_call(run, "baseline")
        if detail is None:
            call = ToolCall("baseline", "run_tests", {}, "{}")
            result = (await self.call_tool(run, self.toolbox, call, self.context)).result
            facts, text = result.facts, result.text
        else:
            facts, text = detail.get("facts", {}), detail.get("result", "")
        if facts.get("ended_by") == "timeout":
            self._has_tests = False  # too slow to run by ourselves; the model may run a part
        self._baseline_failed = facts.get("failed")
        return self.core.describe_baseline(facts, text, limit=limit, timeout_s=COMMAND_TIMEOUT_S)

    # --- the loop ------------------------------------------------------------------------------------------------

    async def step(self, run: RunState) -> Outcome | None:
        if self._is_only_chatting(run):
            async with self.within_time(run):
                return await self._chat(run)
        return await super().step(run)

    @property
    def is_led(self) -> bool:
        return self._guiding is not None

    def takes_words(self, run: RunState) -> bool:
        return not self._wants_change

    async def after_call(self, run: RunState, turn: Turn, called: Called) -> None:
        facts = called.result.facts
        if called.call.name == "run_tests" and facts.get("is_whole"):
            tree = await asyncio.to_thread(lambda: run.workplace.tree)
            self._tests = TestState(tree, not called.result.is_error, facts.get("failed"))
        if self._guiding is not None:
            await self._guiding.after_call(run, turn, called)

    # --- the end -------------------------------------------------------------------------------------------------

    async def on_finish(self, run: RunState, turn: Turn, arguments: Mapping[str, Any]) -> Outcome | None:
        """End, unless the tests fail on the change; the model is told once, then its word counts."""
        failure = await self._verify(run)
        if failure is not None:
            turn.notes.append(prompts.TESTS_FAIL.format(output=failure))
            return None
        if self._guiding is not None and (open_point := await self._guiding.on_finish(run)) is not None:
            turn.notes.append(open_point)
            return None
        return await super().on_finish(run, turn, arguments)

    async def _verify(self, run: RunState) -> str | None:
        """Run the tests on the finished files; return their output when it is to be mended."""
        if not await asyncio.to_thread(lambda: run.workplace.has_offer):
            return None
        tree = await asyncio.to_thread(lambda: run.workplace.tree)
        if tree in self._refused_trees or not self._has_tests:
            return None
        if self._tests is None or self._tests.tree != tree:
            self._tests, output = await self._test_now(run)
        else:
            output = "You have just run them."
        if self._tests.is_ok or not self._is_worse():
            return None
        self._refused_trees.add(tree)
        return bound(output, self.context.output_chars // 2)

    async def _test_now(self, run: RunState) -> tuple[TestState, str]:
        """Run all tests on the files as they are; return what they said."""
        tree = await asyncio.to_thread(lambda: run.workplace.tree)
        call = ToolCall(f"verify-{tree[:12]}", "run_tests", {}, "{}")
        result = (await self.call_tool(run, self.toolbox, call, self.context)).result
        self._tests = TestState(tree, not result.is_error, result.facts.get("failed"))
        return self._tests, result.text

    def told_of_failure(self, run: RunState, tree: str) -> bool:
        return tree in self._refused_trees or not self._is_worse()

    def _is_worse(self) -> bool:
        """Whether the change left something failing that it could be asked to mend."""
        now = self._tests.failed if self._tests else None
        return now is None or self._baseline_failed is None or now > 0

    async def outcome(
        self, run: RunState, answer: str, arguments: Mapping[str, Any] | None = None
    ) -> Outcome:
        revision = run.job.revision_of or {}
        if self._guiding is not None:
            await self._guiding.go_back(run)
        run.evidence[:] = [item for item in run.evidence if self.core.is_check(item["command"])]
        given = (arguments or {}).get("answers")
        return Outcome(
            answer=answer or "Done.",
            title=str(revision.get("title") or self.core.title_of(self._goal, agent=self.name)),
            summary=f"{answer}\n\n_{run.spending.describe()}._",
            answers=self.core.answers_for(revision.get("comments", ()), given, otherwise=answer),
        )

    async def end_early(self, run: RunState, reason: str, error: BudgetExceeded | None) -> Outcome:
        if self._guiding is not None:
            await self._guiding.go_back(run)
        return await super().end_early(run, reason, error)

    # --- a model that cannot program -----------------------------------------------------------------------------

    def _is_only_chatting(self, run: RunState) -> bool:
        return model_of(run).choice.provider == "embedded" and ANYWAY not in run.job.goal

    async def _chat(self, run: RunState) -> Outcome:
        provider = model_of(run)
        model = provider.choice.model
        if self._wants_change:
            return Outcome(answer=prompts.TOO_SMALL.format(model=model, size=SMALL_MODEL_SIZE))
        await self.await_model(run)
        conversation = Conversation(
            prompts.CHAT_SYSTEM,
            self.core.opening_text(self._goal, conversation=run.job.conversation)
            + "".join(f"\n\n{words}" for words in self._said),
            is_native=True,
        )
        asker = Asker(self, Dialogue(conversation, [], provider.capabilities()))
        turn, _ = await asker.ask(run)
        return Outcome(
            answer=(turn.text.strip() or "I have no answer.") + prompts.CHAT_FOOTER.format(model=model)
        )


def _may_be_called(run: RunState, tool: Tool) -> bool:
    """Return whether the policy lets this agent make such a call at all; what people are asked about it may ask for."""
    return run.ruling.judge(tool, {}, count_files=lambda path: 0).decision.effect != "refuse"
