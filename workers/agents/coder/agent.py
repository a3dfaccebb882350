"""@coder: a full tool loop with whatever model a person chose, until it works or the budget ends."""

from __future__ import annotations

import asyncio
from typing import Any

from workers.agents.base import BaseAgent, Outcome, RunState
from workers.agents.coder import prompts
from workers.agents.coder.asking import Asker, Dialogue
from workers.agents.coder.conversation import Conversation, Turn
from workers.agents.coder.core import ANYWAY, NUDGE_AT, STOP_AT, CoderCore, RepeatDetector, TestState
from workers.agents.coder.guiding import Guiding
from workers.agents.errors import ModelRefused, ModelStuck
from workers.agents.mixins.governance import GovernanceMixin
from workers.agents.mixins.identity import IdentityMixin
from workers.agents.mixins.orchestration import Called, OrchestrationMixin
from workers.agents.mixins.persistence import PersistenceMixin
from workers.errors import BudgetExceeded, ConfigError, ProviderError
from workers.providers.base import Provider
from workers.providers.types import ToolCall, ToolSpec
from workers.tools.base import ToolContext, ToolResult
from workers.tools.reading import ListFiles
from workers.tools.registry import open_toolbox
from workers.tools.testing import detect_tests
from workers.tools.text import bound

COMMAND_TIMEOUT_S = 120.0
MAX_SILENT_TURNS = 3
WARN_TURNS = 3
MAX_SOURCES_CHARS = 24_000
WARM = 0.7
"""The temperature after a call or code that was there before: at none a model that said it once says it for ever."""
SMALL_MODEL_SIZE = "135 million"


class CoderAgent(IdentityMixin, OrchestrationMixin, PersistenceMixin, GovernanceMixin, BaseAgent):
    """Plans, acts and verifies. One step is one answer of the model and the calls in it."""

    name = "coder"

    def __init__(self) -> None:
        self.core = CoderCore()
        self._repeats = RepeatDetector()
        self._silent_turns = 0
        self._tests: TestState | None = None
        self._baseline_failed: int | None = None
        self._refused_trees: set[str] = set()
        self._has_tests = False
        self._is_resuming = True
        self._guiding: Guiding | None = None
        self._turns: list[Turn] = []
        self._dialogue: Dialogue
        self._asker: Asker

    # --- the beginning -------------------------------------------------------------------------------------------

    async def begin(self, run: RunState) -> None:
        provider = _provider_of(run)
        abilities = provider.capabilities()
        await self.introduce(run)
        self._toolbox = open_toolbox(answers_review=run.job.revision_of is not None)
        self._specs = [ToolSpec(tool.name, tool.description, tool.parameters) for tool in self._toolbox]
        self._context = ToolContext(
            files_dir=run.workplace.files_dir,
            output_chars=max(1500, min(10_000, abilities.context_tokens * 3 // 10)),
            command_timeout_s=COMMAND_TIMEOUT_S,
        )
        self._goal = self.core.goal_of(run.job)
        self._wants_change = run.job.revision_of is not None or self.core.is_change_request(self._goal)
        if self._is_only_chatting(run, provider):
            return
        is_guided = not abilities.has_tools and self._wants_change and run.job.revision_of is None
        conversation = Conversation(
            self.core.system_text(self._specs, is_native=abilities.has_tools),
            await self._opening(run, is_guided=is_guided),
            is_native=abilities.has_tools,
        )
        conversation.turns = self._turns = self.core.rebuild(run.history)
        self._dialogue = Dialogue(conversation, self._specs, abilities)
        self._asker = Asker(self, self._dialogue)
        self.recall_evidence(run)

    async def _opening(self, run: RunState, *, is_guided: bool) -> str:
        files = self._context.files
        limit = self._context.output_chars
        listing = (await ListFiles().call({}, self._context)).text
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
        return opening + (await self._guidance(run, baseline) if is_guided else "")

    async def _guidance(self, run: RunState, baseline: str) -> str:
        """Begin to guide the model; return what it is shown for that: the files that matter and the points."""
        head = await asyncio.to_thread(lambda: run.workplace.head)
        test_now = self._test_now if self._has_tests else None
        self._guiding = Guiding(self._goal, self._context, head=head, test_now=test_now)
        if self._has_tests and not run.history:
            self._guiding.begin(failed=self._baseline_failed)
        # The context's tokens, taken as characters: about a quarter of it.
        limit = min(MAX_SOURCES_CHARS, _provider_of(run).capabilities().context_tokens)
        sources = await self._guiding.sources("" if self._baseline_failed == 0 else baseline, limit=limit)
        return self.core.guidance_text(sources)

    async def _baseline(self, run: RunState, *, limit: int) -> str:
        """Run the tests before anything changes, once a run, so that the model sees what fails and people
        what was."""
        detail = self.finished_call(run, "baseline")
        if detail is None:
            call = ToolCall("baseline", "run_tests", {}, "{}")
            result = (await self.call_tool(run, self._toolbox, call, self._context)).result
            facts, text = result.facts, result.text
        else:
            facts, text = detail.get("facts", {}), detail.get("result", "")
        if facts.get("ended_by") == "timeout":
            self._has_tests = False  # too slow to run by ourselves; the model may run a part
        self._baseline_failed = facts.get("failed")
        return self.core.describe_baseline(facts, text, limit=limit, timeout_s=COMMAND_TIMEOUT_S)

    # --- the loop ------------------------------------------------------------------------------------------------

    async def step(self, run: RunState) -> Outcome | None:
        """Let the model answer once and do what it asks for."""
        provider = _provider_of(run)
        if self._is_only_chatting(run, provider):
            async with self.within_time(run):
                return await self._chat(run)
        try:
            async with self.within_time(run):
                return await self._turn(run)
        except BudgetExceeded as error:
            return await self._end_early(run, f"I stopped before I was done. {error}", error)
        except (ProviderError, ModelRefused) as error:
            # The run fails and says why; what it had done so far is no less worth looking at.
            await self.offer_unfinished(run, f"The model failed: {error}")
            raise

    async def _turn(self, run: RunState) -> Outcome | None:
        turn, parent = await self._next_turn(run)
        if not turn.calls:
            return await self._without_call(run, turn)
        self._silent_turns = 0
        for call in turn.calls:
            if call.id in turn.results:  # done before this worker took over
                called = Called(
                    call, ToolResult(turn.results[call.id], is_error="answer" not in (call.arguments or {}))
                )
            else:
                called = await self.call_tool(run, self._toolbox, call, self._context, parent=parent)
                turn.results[call.id] = called.result.text
            if call.name == "finish" and not called.result.is_error:
                outcome = await self._finish(run, turn, called)
                if outcome is not None:
                    return outcome
            await self._note(run, turn, called)
            if self._guiding is not None:
                await self._guiding.after_call(run, turn, called)
        return None

    async def _next_turn(self, run: RunState) -> tuple[Turn, str | None]:
        """Return the turn to work on and its step: on a resumed run first the last one, which may be half
        done."""
        turns = self._dialogue.conversation.turns
        was_resuming, self._is_resuming = self._is_resuming, False
        if was_resuming and turns:
            return turns[-1], self.last_model_step(run)
        self.check_budget(run)
        self._warn_of_end(run)
        await self.await_model(run)
        turn, parent = await self._asker.ask(run)
        turns.append(turn)
        return turn, parent

    async def _note(self, run: RunState, turn: Turn, called: Called) -> None:
        """Take from a call what the loop itself needs to know."""
        facts = called.result.facts
        if called.call.name == "finish" and not called.result.is_error:
            self._shake(turn, called, is_repeat=False)
            return  # it was told what is missing
        if called.call.name == "run_tests" and facts.get("is_whole"):
            tree = await asyncio.to_thread(lambda: run.workplace.tree)
            self._tests = TestState(tree, not called.result.is_error, facts.get("failed"))
        times = self._repeats.count(called.call, called.result.text)
        self._shake(turn, called, is_repeat=times > 1)
        if times >= STOP_AT:
            message = f"I stopped: the model made the same call {times} times with the same result."
            raise _Stuck(message)
        if times >= (NUDGE_AT if self._guiding is None else NUDGE_AT - 1):
            turn.notes.append(prompts.NUDGE_REPEAT.format(times=times))

    def _shake(self, turn: Turn, called: Called, *, is_repeat: bool) -> None:
        """After a call that brought nothing: ask less coldly, without that tool, and, when the model is guided,
        without what it said, since it would say it again."""
        is_vain = is_repeat or bool(called.result.facts.get("is_same"))
        self._dialogue.temperature = WARM if is_vain else 0.0
        self._dialogue.withheld = called.call.name if is_vain and self._guiding is not None else ""
        turn.is_void = is_vain and self._guiding is not None

    def _warn_of_end(self, run: RunState) -> None:
        turns = self._dialogue.conversation.turns
        left = run.spending.budget.steps - run.spending.steps
        if turns and left == WARN_TURNS:
            turns[-1].notes.append(prompts.NUDGE_TURNS.format(turns=left))

    async def _without_call(self, run: RunState, turn: Turn) -> Outcome | None:
        """A turn of words alone: the answer to a question, or a model that forgot to call."""
        self._silent_turns += 1
        has_said = bool(turn.text.strip()) and not turn.notes
        if has_said and (not self._wants_change or self._silent_turns > 1):
            return await self._outcome(run, turn.text.strip())
        if self._silent_turns >= MAX_SILENT_TURNS:
            return await self._end_early(run, "I stopped: the model made no valid call.", None)
        turn.notes.append(prompts.NUDGE_NO_CALL)
        return None

    # --- the end -------------------------------------------------------------------------------------------------

    async def _finish(self, run: RunState, turn: Turn, called: Called) -> Outcome | None:
        """End, unless the tests fail on the change; the model is told once, then its word counts."""
        arguments = called.call.arguments or {}
        failure = await self._verify(run)
        if failure is not None:
            turn.notes.append(prompts.TESTS_FAIL.format(output=failure))
            return None
        if self._guiding is not None and (open_point := await self._guiding.on_finish(run)) is not None:
            turn.notes.append(open_point)
            return None
        return await self._outcome(run, str(arguments.get("answer", "")), arguments.get("answers"))

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
        return bound(output, self._context.output_chars // 2)

    async def _test_now(self, run: RunState) -> tuple[TestState, str]:
        """Run all tests on the files as they are; return what they said."""
        tree = await asyncio.to_thread(lambda: run.workplace.tree)
        call = ToolCall(f"verify-{tree[:12]}", "run_tests", {}, "{}")
        result = (await self.call_tool(run, self._toolbox, call, self._context)).result
        self._tests = TestState(tree, not result.is_error, result.facts.get("failed"))
        return self._tests, result.text

    def _is_worse(self) -> bool:
        """Whether the change left something failing that it could be asked to mend."""
        now = self._tests.failed if self._tests else None
        return now is None or self._baseline_failed is None or now > 0

    async def _outcome(self, run: RunState, answer: str, answers: Any = None) -> Outcome:
        revision = run.job.revision_of or {}
        if self._guiding is not None:
            await self._guiding.go_back(run)
        run.evidence[:] = [item for item in run.evidence if self.core.is_check(item["command"])]
        return Outcome(
            answer=answer or "Done.",
            title=str(revision.get("title") or self.core.title_of(self.core.goal_of(run.job))),
            summary=f"{answer}\n\n_{run.spending.describe()}._",
            answers=self.core.answers_for(revision.get("comments", ()), answers, otherwise=answer),
        )

    async def _end_early(self, run: RunState, reason: str, error: BudgetExceeded | None) -> Outcome:
        """Offer what there is, saying that it is not finished; with nothing to offer, fail."""
        if self._guiding is not None:
            await self._guiding.go_back(run)
        if not await asyncio.to_thread(lambda: run.workplace.has_offer):
            raise error or ModelStuck(reason)
        return await self.unfinished(run, reason)

    async def unfinished(self, run: RunState, reason: str) -> Outcome:
        said = next((turn.text for turn in reversed(self._turns) if turn.text.strip()), "")
        told = f"\n\nIts last words: {bound(said, 1000)}" if said else ""
        return await self._outcome(
            run, f"**Not finished.** {reason} What stands so far is offered for review.{told}"
        )

    # --- a model that cannot program -----------------------------------------------------------------------------

    def _is_only_chatting(self, run: RunState, provider: Provider) -> bool:
        return provider.choice.provider == "embedded" and ANYWAY not in run.job.goal

    async def _chat(self, run: RunState) -> Outcome:
        model = _provider_of(run).choice.model
        if self._wants_change:
            return Outcome(answer=prompts.TOO_SMALL.format(model=model, size=SMALL_MODEL_SIZE))
        await self.await_model(run)
        conversation = Conversation(
            prompts.CHAT_SYSTEM,
            self.core.opening_text(self._goal, conversation=run.job.conversation),
            is_native=True,
        )
        asker = Asker(self, Dialogue(conversation, [], _provider_of(run).capabilities()))
        turn, _ = await asker.ask(run)
        return Outcome(
            answer=(turn.text.strip() or "I have no answer.") + prompts.CHAT_FOOTER.format(model=model)
        )


class _Stuck(BudgetExceeded):
    """The model goes in circles; ends the loop as a used-up budget does."""

    code = "model_stuck"


def _provider_of(run: RunState) -> Provider:
    if run.provider is None:
        raise ConfigError("@coder needs a model.")
    return run.provider
