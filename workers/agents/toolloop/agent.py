"""The loop in which a model reads, calls tools and finishes. An agent adds its tools, its words and its outcome.

A turn is one answer of the model and the calls in it. The loop keeps the budget, makes the conversation fit the model's context,
stops what goes in circles, speaks native tool calls or JSON by what the model can, and takes up a run from its finished steps.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from workers.agents.base import BaseAgent, Outcome, RunState
from workers.agents.errors import ModelRefused, ModelStuck
from workers.agents.mixins.governance import GovernanceMixin
from workers.agents.mixins.identity import IdentityMixin
from workers.agents.mixins.knowledge import KnowledgeMixin
from workers.agents.mixins.multimodal import MultimodalMixin
from workers.agents.mixins.orchestration import Called, OrchestrationMixin
from workers.agents.mixins.persistence import PersistenceMixin
from workers.agents.mixins.reflection import ReflectionMixin
from workers.agents.steering import Note
from workers.agents.toolloop import prompts
from workers.agents.toolloop.asking import Asker, Dialogue
from workers.agents.toolloop.conversation import Conversation, Turn
from workers.agents.toolloop.core import NUDGE_AT, STOP_AT, RepeatDetector, ToolLoopCore
from workers.errors import BudgetExceeded, ConfigError, ProviderError
from workers.learning.prompt import lessons_text
from workers.providers.base import Provider
from workers.providers.types import ToolSpec
from workers.tools.base import Toolbox, ToolContext, ToolResult
from workers.tools.registry import DELEGATION
from workers.tools.text import bound

COMMAND_TIMEOUT_S = 120.0
MAX_SILENT_TURNS = 3
WARN_TURNS = 3
WARM = 0.7
"""The temperature after a call or code that was there before: at none a model that said it once says it for ever."""


class ToolLoopAgent(
    IdentityMixin,
    KnowledgeMixin,
    OrchestrationMixin,
    PersistenceMixin,
    ReflectionMixin,
    GovernanceMixin,
    MultimodalMixin,
    BaseAgent,
):
    """An agent whose steps are a model's turns.

    A subclass gives `open_tools` (one of them called `finish`), `instructions` and `opening`; `on_finish` may send the model
    back, `outcome` says what the run brings, `after_call` looks at each call.
    """

    examples: ClassVar[str] = ""
    """Turns as a model that answers in JSON should write them, one a line."""
    hears = True
    core: ToolLoopCore

    def __init__(self) -> None:
        super().__init__()
        self.core = ToolLoopCore()
        self.turns: list[Turn] = []
        self.toolbox: Toolbox
        self.context: ToolContext
        self.dialogue: Dialogue
        self._asker: Asker
        self._repeats = RepeatDetector()
        self._silent_turns = 0
        self._is_resuming = True
        self._said: list[str] = []
        """Words of people that the model has not been sent yet."""

    # --- what an agent is ----------------------------------------------------------------------------------------

    @abstractmethod
    def open_tools(self, run: RunState) -> Toolbox:
        """Return the tools of this run; the one called `finish` ends it."""

    def whom_it_may_ask(self, run: RunState) -> str:
        """Return what its instructions say of the agents that it may hand goals to; nothing without a tool for that."""
        if not run.job.agents or not any(tool.name in DELEGATION for tool in self.toolbox):
            return ""
        agents = "\n".join(f"- {agent['name']}: {agent['description']}" for agent in run.job.agents)
        return prompts.HAND_ON.format(agents=agents)

    @abstractmethod
    def instructions(self, run: RunState) -> str:
        """Return what the model is told of its work, without how tools are called."""

    @abstractmethod
    async def opening(self, run: RunState) -> str:
        """Return the first message to the model; `toolbox` and `context` are there. What is done for it is recorded as steps
        and found again in the history of a resumed run."""

    async def on_finish(self, run: RunState, turn: Turn, arguments: Mapping[str, Any]) -> Outcome | None:
        """Return the outcome after the model's `finish`; None sends it back with what was put into `turn.notes`."""
        return await self.outcome(run, str(arguments.get("answer", "")), arguments)

    async def outcome(
        self, run: RunState, answer: str, arguments: Mapping[str, Any] | None = None
    ) -> Outcome:
        """Return how the run ends; `arguments` are those of `finish`, None where the model ended in another way."""
        return Outcome(
            answer=answer or "Done.",
            title=self.core.title_of(self.core.goal_of(run.job), agent=self.name),
            summary=f"{answer}\n\n_{run.spending.describe()}._",
        )

    async def after_call(self, run: RunState, turn: Turn, called: Called) -> None:
        """Look at a call that was made; what the model is to hear of it goes into `turn.notes`."""

    def takes_words(self, run: RunState) -> bool:
        """Whether a turn of words alone ends the run at once; otherwise the model is first asked for a call."""
        return False

    async def without_model(self, run: RunState) -> Outcome | None:
        """Return what the run brings when its model is the small one that ships with PyAgent; None: it tries all the same."""
        return None

    @property
    def is_led(self) -> bool:
        """Whether the model is led by the hand: what it did in vain is not shown to it again."""
        return False

    # --- the loop ------------------------------------------------------------------------------------------------

    async def begin(self, run: RunState) -> None:
        abilities = model_of(run).capabilities()
        await self.introduce(run)
        self.toolbox = self.open_tools(run)
        self.context = ToolContext(
            files_dir=run.workplace.files_dir,
            output_chars=max(1500, min(10_000, abilities.context_tokens * 3 // 10)),
            command_timeout_s=COMMAND_TIMEOUT_S,
            know=partial(self.know_for, run),
        )
        specs = [ToolSpec(tool.name, tool.description, tool.parameters) for tool in self.toolbox]
        is_native = abilities.has_tools
        system = self.core.system_text(
            self.instructions(run), specs, is_native=is_native, examples=self.examples
        )
        opening = await self.opening(run) + self.core.said_before(run.history)
        # Somebody's words, so they stand in the opening and never in the system's own; an eighth of the context at most.
        lessons = lessons_text(run.job.lessons, max_chars=abilities.context_tokens // 2)
        conversation = Conversation(system, lessons + opening, is_native=is_native)
        conversation.parts = await self.look_at_attachments(run, abilities)
        conversation.turns = self.turns = self.core.rebuild(run.history)
        self._is_resuming = not self.core.is_spoken_to(run.history, self.turns)
        self.dialogue = Dialogue(conversation, specs, abilities)
        self._asker = Asker(self, self.dialogue)
        self.recall_evidence(run)

    async def hear(self, run: RunState, notes: Sequence[Note]) -> None:
        self._said += [note.words for note in notes]

    async def step(self, run: RunState) -> Outcome | None:
        """Let the model answer once and do what it asks for."""
        if model_of(run).choice.provider == "embedded":
            outcome = await self.without_model(run)
            if outcome is not None:
                return outcome
        try:
            async with self.within_time(run):
                return await self._turn(run)
        except BudgetExceeded as error:
            if (standing := await self.standing(run)) is not None:
                return standing
            return await self.end_early(run, f"I stopped before I was done. {error}", error)
        except (ProviderError, ModelRefused) as error:
            if (standing := await self.standing(run)) is not None:
                return standing
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
                is_error = self._was_refused(run, call.id)
                called = Called(call, ToolResult(turn.results[call.id], is_error=is_error))
            else:
                called = await self.call_tool(run, self.toolbox, call, self.context, parent=parent)
                turn.results[call.id] = called.result.text
            if call.name == "finish" and not called.result.is_error:
                outcome = await self._looked_at(
                    run, turn, await self.on_finish(run, turn, call.arguments or {})
                )
                if outcome is not None:
                    return outcome
            self._note(turn, called)
            await self.after_call(run, turn, called)
        return None

    async def _looked_at(self, run: RunState, turn: Turn, outcome: Outcome | None) -> Outcome | None:
        """Return the outcome unless the agent, looking at its work once more, wants another pass."""
        if outcome is None:
            return None
        outcome, note = await self.reflect(run, outcome, pass_key=f"turn {len(self.turns)}")
        if note is None:
            return outcome
        turn.notes.append(note)
        return None

    async def _next_turn(self, run: RunState) -> tuple[Turn, str | None]:
        """Return the turn to work on and its step: on a resumed run first the last one, which may be half
        done."""
        was_resuming, self._is_resuming = self._is_resuming, False
        if was_resuming and self.turns:
            return self.turns[-1], self.last_model_step(run)
        self.check_budget(run)
        self._warn_of_end(run)
        await self.await_model(run)
        self._pass_on()
        turn, parent = await self._asker.ask(run)
        self.turns.append(turn)
        return turn, parent

    def _pass_on(self) -> None:
        """Put what people said where the model reads it next: behind its last turn, or below the opening."""
        if self.turns:
            self.turns[-1].notes += self._said
        else:
            self.dialogue.conversation.opening += "".join(f"\n\n{words}" for words in self._said)
        self._said.clear()

    def _was_refused(self, run: RunState, call_id: str) -> bool:
        details = (step.get("detail") or {} for step in reversed(run.history))
        found: dict[str, Any] = next((detail for detail in details if detail.get("call_id") == call_id), {})
        return bool(found.get("is_error", True))

    def _note(self, turn: Turn, called: Called) -> None:
        """Take from a call what the loop itself needs to know.

        Raises:
            Circling: it brought the same too often.
        """
        if called.call.name == "finish" and not called.result.is_error:
            self._shake(turn, called, is_repeat=False)
            return  # it was told what is missing
        times = self._repeats.count(called.call, called.result.text)
        self._shake(turn, called, is_repeat=times > 1)
        if times >= STOP_AT:
            raise Circling(f"I stopped: the model made the same call {times} times with the same result.")
        if times >= NUDGE_AT - self.is_led:
            turn.notes.append(prompts.NUDGE_REPEAT.format(times=times))

    def _shake(self, turn: Turn, called: Called, *, is_repeat: bool) -> None:
        """After a call that brought nothing: ask less coldly, without that tool, and, when the model is led,
        without what it said, since it would say it again."""
        is_vain = is_repeat or bool(called.result.facts.get("is_same"))
        self.dialogue.temperature = WARM if is_vain else 0.0
        self.dialogue.withheld = called.call.name if is_vain and self.is_led else ""
        turn.is_void = is_vain and self.is_led

    def _warn_of_end(self, run: RunState) -> None:
        left = run.spending.budget.steps - run.spending.steps
        if self.turns and left == WARN_TURNS:
            self.turns[-1].notes.append(prompts.NUDGE_TURNS.format(turns=left))

    async def _without_call(self, run: RunState, turn: Turn) -> Outcome | None:
        """A turn of words alone: the answer to a question, or a model that forgot to call."""
        self._silent_turns += 1
        has_said = bool(turn.text.strip()) and not turn.notes
        if has_said and (self._silent_turns > 1 or self.takes_words(run)):
            return await self._looked_at(run, turn, await self.outcome(run, turn.text.strip()))
        if self._silent_turns >= MAX_SILENT_TURNS:
            return await self.end_early(run, "I stopped: the model made no valid call.", None)
        turn.notes.append(prompts.NUDGE_NO_CALL)
        return None

    # --- an end before the end -----------------------------------------------------------------------------------

    async def end_early(self, run: RunState, reason: str, error: BudgetExceeded | None) -> Outcome:
        """Offer what there is, saying that it is not finished.

        Raises:
            BudgetExceeded, ModelStuck: there is nothing to offer.
        """
        if not await asyncio.to_thread(lambda: run.workplace.has_offer):
            raise error or ModelStuck(reason)
        return await self.unfinished(run, reason)

    async def unfinished(self, run: RunState, reason: str) -> Outcome:
        said = next((turn.text for turn in reversed(self.turns) if turn.text.strip()), "")
        told = f"\n\nIts last words: {bound(said, 1000)}" if said else ""
        return await self.outcome(
            run, f"**Not finished.** {reason} What stands so far is offered for review.{told}"
        )


class Circling(BudgetExceeded):
    """The model goes in circles; ends the loop as a used-up budget does."""

    code = "model_stuck"


def model_of(run: RunState) -> Provider:
    """Return the run's model.

    Raises:
        ConfigError: it has none.
    """
    if run.provider is None:
        raise ConfigError(f"@{run.job.agent} needs a model.")
    return run.provider
