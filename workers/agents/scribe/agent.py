"""@scribe: sums up what was said in a channel, part by part where it is long, with links that lead to the messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.agents.base import Outcome, RunState
from workers.agents.errors import ModelStuck
from workers.agents.scribe import prompts
from workers.agents.scribe.core import Checked, Entry, Said, ScribeCore
from workers.agents.toolloop import prompts as shared
from workers.agents.toolloop.agent import ToolLoopAgent, model_of
from workers.agents.toolloop.conversation import Conversation, Turn
from workers.errors import BudgetExceeded
from workers.tools.base import Toolbox, ToolContext, ToolResult, object_schema
from workers.tools.finish import Finish

MAX_PART_CHARS = 60_000
_NUMBERS = {"type": "array", "items": {"type": "integer"}}
_ENTRY = object_schema(("text", "messages"), text={"type": "string"}, messages=_NUMBERS)


class FinishSummary(Finish):
    description = "Hand over the summary of these messages."
    parameters = object_schema(
        ("decisions", "actions", "questions"),
        decisions={"type": "array", "items": _ENTRY},
        actions={
            "type": "array",
            "items": object_schema(
                ("text", "messages"),
                text={"type": "string"},
                owner={"type": "string"},
                due={"type": "string"},
                messages=_NUMBERS,
            ),
        },
        questions={"type": "array", "items": _ENTRY},
        settled={**_NUMBERS, "description": "Numbers of entries noted before that are settled now"},
    )

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        return ToolResult("Taken.")


class ScribeAgent(ToolLoopAgent):
    """One conversation for each part of the messages; what the parts before brought goes along as short entries."""

    name = "scribe"
    examples = prompts.EXAMPLES
    core: ScribeCore

    def __init__(self) -> None:
        super().__init__()
        self.core = ScribeCore()
        self._messages: list[Said] = []
        self._parts: list[list[Said]] = []
        self._part = 0
        self._entries: list[Entry] = []
        self._dropped = 0
        self._was_sent_back = False
        self._place = "this channel"

    # --- the beginning -------------------------------------------------------------------------------------------

    async def begin(self, run: RunState) -> None:
        conversation = run.job.conversation
        self._messages = self.core.messages_of(conversation)
        self._place = next((item["place"] for item in conversation if item.get("place")), self._place)
        # The context's tokens, taken as characters: about a quarter of it.
        limit = min(MAX_PART_CHARS, model_of(run).capabilities().context_tokens)
        self._parts = self.core.parts_of(self._messages, limit=limit)
        history = run.history[self._take_up(run) :]
        await super().begin(run)
        self.turns[:] = self.core.rebuild(history)
        self._is_resuming = not self.core.is_spoken_to(history, self.turns)

    def _take_up(self, run: RunState) -> int:
        """On a resumed run: take what finished parts brought; return where in the history the open part begins."""
        since = 0
        for index, step in enumerate(run.history):
            detail = step.get("detail") or {}
            if "part_done" in detail:
                self._part, self._dropped = detail["part_done"], detail["dropped"]
                self._entries = [Entry.from_dict(entry) for entry in detail["entries"]]
                since = index + 1
        return since

    def open_tools(self, run: RunState) -> Toolbox:
        return Toolbox([FinishSummary()])

    def instructions(self, run: RunState) -> str:
        return prompts.SYSTEM

    async def opening(self, run: RunState) -> str:
        if self._part >= len(self._parts):
            return ""
        return self.core.opening_text(
            self.core.goal_of(run.job),
            self._parts[self._part],
            place=self._place,
            number=self._part + 1,
            count=len(self._parts),
            so_far=self._entries,
        )

    async def without_model(self, run: RunState) -> Outcome | None:
        model = model_of(run).choice.model
        return Outcome(answer=shared.TOO_SMALL.format(model=model, work="sum up what people said"))

    # --- the loop ------------------------------------------------------------------------------------------------

    async def step(self, run: RunState) -> Outcome | None:
        if not self._messages:
            return Outcome(answer=prompts.NOTHING.format(place=self._place))
        if self._part >= len(self._parts):
            return self._report()
        return await super().step(run)

    async def on_finish(self, run: RunState, turn: Turn, arguments: Mapping[str, Any]) -> Outcome | None:
        """Take what holds of a part, and go on with the next; what does not hold goes back once."""
        known = {message.number: message for message in self._parts[self._part]}
        checked = self.core.check(arguments, known)
        if checked.dropped and not self._was_sent_back:
            self._was_sent_back = True
            turn.notes.append(self.core.mend_text(checked))
            return None
        await self._end_part(run, checked, arguments.get("settled"))
        if self._part >= len(self._parts):
            return self._report()
        await self._begin_part(run)
        return None

    async def _end_part(self, run: RunState, checked: Checked, settled: Any) -> None:
        self._entries = self.core.merge(self._entries, checked.kept, settled)
        self._dropped += len(checked.dropped)
        self._part += 1
        title = f"Part {self._part} of {len(self._parts)}: {len(checked.kept)} entries"
        async with run.recorder.step("thought", title) as step:
            step.detail |= {
                "part_done": self._part,
                "entries": [entry.to_dict() for entry in self._entries],
                "dropped": self._dropped,
                "reasons": list(checked.dropped),
            }

    async def _begin_part(self, run: RunState) -> None:
        """Begin the next part in a conversation of its own, so that each fits the model's context."""
        old = self.dialogue.conversation
        conversation = Conversation(old.system, await self.opening(run), is_native=old.is_native)
        self.turns = conversation.turns
        self.dialogue.conversation = conversation
        self._was_sent_back = False

    # --- the end -------------------------------------------------------------------------------------------------

    def _report(self, before: str = "") -> Outcome:
        read = [message for part in self._parts[: self._part] for message in part]
        text = self.core.summary_text(
            self._entries,
            {message.number: message for message in self._messages},
            place=self._place,
            read=read,
            dropped=self._dropped,
        )
        return Outcome(answer=f"{before}\n\n{text}" if before else text)

    async def outcome(
        self, run: RunState, answer: str, arguments: Mapping[str, Any] | None = None
    ) -> Outcome:
        """A model that only talks has given nothing that could be checked."""
        return await self.end_early(run, "The model did not give its summary in the form asked for.", None)

    async def end_early(self, run: RunState, reason: str, error: BudgetExceeded | None) -> Outcome:
        """Report the parts that were read, saying that it is not all.

        Raises:
            BudgetExceeded, ModelStuck: no part was read.
        """
        if self._part == 0:
            raise error or ModelStuck(reason)
        count = sum(len(part) for part in self._parts[: self._part])
        return self._report(prompts.UNREAD.format(reason=reason, count=count, total=len(self._messages)))
