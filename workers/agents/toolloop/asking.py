"""One question to the model: the fitting conversation out, text streamed to whoever watches, a turn back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Protocol

from workers.agents.base import RunState
from workers.agents.errors import ModelRefused
from workers.agents.mixins.governance import CHARS_PER_TOKEN
from workers.agents.toolloop import prompts
from workers.agents.toolloop.conversation import Conversation, Turn, size_of
from workers.agents.toolloop.core import recorded
from workers.agents.toolloop.protocol import ThoughtReader, read_turn, response_schema
from workers.errors import ContextTooLong, ProviderBadReply, ProviderCutOff, ProviderError, ProviderTimeout
from workers.events import Heartbeat
from workers.providers.base import Provider
from workers.providers.types import (
    Capabilities,
    Finished,
    Message,
    ModelReply,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
)
from workers.reasoning.tree import Step
from workers.tools.errors import InvalidArguments
from workers.tools.text import bound

TRIES = 3
"""For an answer that broke off: nothing was done on its half, so the question may be asked again."""
MAX_OUTPUT_TOKENS = 8192
SHORT_CONTEXT_TOKENS = 8192
SILENT_TRIES = 2
"""For an endpoint that says no word within its whole time limit."""
_AGAIN = (ProviderCutOff, ProviderBadReply, ProviderTimeout, ContextTooLong)


class Accountant(Protocol):
    """Who counts what a reply cost."""

    def charge(self, run: RunState, step: Step, reply: ModelReply, *, sent_chars: int) -> None: ...

    def used_so_far(self, run: RunState, *, sent_chars: int, said_chars: int) -> dict[str, Any]: ...

    def charge_cut_off(self, run: RunState, step: Step, *, sent_chars: int, said_chars: int) -> None: ...


class Dialogue:
    """A conversation, the tools offered in it, and how much of it the model can read at once."""

    def __init__(self, conversation: Conversation, specs: list[ToolSpec], abilities: Capabilities) -> None:
        self.conversation = conversation
        self.specs = specs
        self.abilities = abilities
        # A model with so short a context is a very small one, and a long answer of it is a loop.
        share = 4 if abilities.context_tokens >= SHORT_CONTEXT_TOKENS else 8
        self.max_output_tokens = min(MAX_OUTPUT_TOKENS, abilities.context_tokens // share)
        self.chars_per_token = CHARS_PER_TOKEN
        self.temperature = 0.0
        """Of a model that answers in JSON; the others keep their provider's own."""
        self.withheld = ""
        """A tool that the schema of the next turn leaves out: a model that answers in JSON cannot call it."""
        self._share = 0.95

    @property
    def is_native(self) -> bool:
        return self.conversation.is_native

    @property
    def max_chars(self) -> int:
        """How many characters a request may have so that the answer still fits."""
        tokens = (self.abilities.context_tokens - self.max_output_tokens) * self._share
        return max(2000, int(tokens * self.chars_per_token) - self._specs_chars())

    def _specs_chars(self) -> int:
        """Return how many characters the tools take beside the messages."""
        if not self.is_native:  # they stand in the system message
            return 0
        return sum(len(json.dumps(spec.parameters)) + len(spec.description) for spec in self.specs)

    def chars_of(self, messages: Sequence[Message]) -> int:
        """Return how many characters a request of these messages has, the tools included."""
        return size_of(messages) + self._specs_chars()

    def request(self, run: RunState) -> ModelRequest:
        """Return the next request, whose answer cannot overspend the run's tokens or dollars.

        Raises:
            BudgetExceeded: what is left is too little for an answer.
        """
        messages: list[Message] = self.conversation.fit(self.max_chars)
        sent_tokens = round(self.chars_of(messages) / self.chars_per_token)
        room = run.spending.answer_room(sent_tokens, price=self.abilities.price)
        return ModelRequest(
            messages=tuple(messages),
            tools=tuple(self.specs) if self.is_native else (),
            response_schema=self._schema(),
            max_output_tokens=self.max_output_tokens if room is None else min(self.max_output_tokens, room),
            temperature=self.temperature if not self.is_native else None,
        )

    def _schema(self) -> dict[str, object] | None:
        if self.is_native or not self.specs or not self.abilities.has_json_schema:
            return None
        return response_schema(spec for spec in self.specs if spec.name != self.withheld)

    def learn(self, sent_chars: int, reply: ModelReply) -> None:
        """Take the provider's own count as the measure from now on."""
        if reply.usage is not None and reply.usage.input_tokens > 200:
            measured = sent_chars / reply.usage.input_tokens
            self.chars_per_token = min(5.0, max(1.5, measured * 0.95))

    def shrink(self) -> None:
        """The model could not read that much after all."""
        self._share *= 0.7


class Asker:
    """Asks the model for its next turn."""

    def __init__(self, accountant: Accountant, dialogue: Dialogue) -> None:
        self._accountant = accountant
        self._dialogue = dialogue
        self._has_begun = False
        """Whether the answer that is being read has said anything yet, and how much."""
        self._said_chars = 0

    async def ask(self, run: RunState) -> tuple[Turn, str | None]:
        """Return the model's next turn and the id of its step.

        Raises:
            ProviderError: the model could not be asked, or its answers broke off again and again.
            ModelRefused: it does not want to answer.
        """
        silences = 0
        for last in (False,) * (TRIES - 1) + (True,):
            try:
                return await self._ask_once(run)
            except ProviderError as error:
                # A provider that fails before its first word was asked again already, with growing waits.
                is_broken_off = error.retryable and self._has_begun
                silences += isinstance(error, ProviderTimeout) and not self._has_begun
                if last or silences >= SILENT_TRIES or not (isinstance(error, _AGAIN) or is_broken_off):
                    raise
                if isinstance(error, ContextTooLong):
                    self._dialogue.shrink()
        raise ProviderError("unreachable")

    async def _ask_once(self, run: RunState) -> tuple[Turn, str | None]:
        provider = run.provider
        assert provider is not None  # noqa: S101 - an Asker exists only where there is a provider
        request = self._dialogue.request(run)
        sent_chars = self._dialogue.chars_of(request.messages)
        number = run.spending.steps + 1
        async with run.recorder.step("model_call", f"{provider.choice.model}, turn {number}") as step:
            try:
                reply = await self._stream(run, provider, request, step, sent_chars=sent_chars)
            except (asyncio.CancelledError, ProviderError):
                if self._has_begun:
                    self._accountant.charge_cut_off(
                        run, step, sent_chars=sent_chars, said_chars=self._said_chars
                    )
                raise
            self._accountant.charge(run, step, reply, sent_chars=sent_chars)
            self._dialogue.learn(sent_chars, reply)
            turn = self._read(reply, call_id=f"c{number}")
            step.detail |= {
                "text": turn.text,
                "calls": [recorded(call) for call in turn.calls],
                "notes": self._notes_before(),
                "finish_reason": reply.finish_reason,
                "messages": len(request.messages),
                "sent_chars": sent_chars,
            }
            if run.guard.hidden:
                step.detail["hidden"] = [f"{what} ×{count}" for what, count in run.guard.hidden.items()]
            if reply.finish_reason == "refusal":
                raise ModelRefused(
                    bound(reply.text.strip(), 500) or "The model refuses to answer this request."
                )
        return turn, step.step_id

    def _notes_before(self) -> list[str]:
        turns = self._dialogue.conversation.turns
        return list(turns[-1].notes) if turns else []

    async def _stream(
        self, run: RunState, provider: Provider, request: ModelRequest, step: Step, *, sent_chars: int
    ) -> ModelReply:
        thought = ThoughtReader() if not self._dialogue.is_native and self._dialogue.specs else None
        self._has_begun, self._said_chars = False, 0
        async with aclosing(provider.stream(request)) as items:
            async for item in items:
                if not self._has_begun:
                    self._has_begun = True
                    await self._tell_begun(run, step, sent_chars=sent_chars)
                if isinstance(item, Finished):
                    return item.reply
                if isinstance(item, ToolCallDelta):
                    self._said_chars += len(item.arguments_part)
                if isinstance(item, TextDelta):
                    self._said_chars += len(item.text)
                    text = item.text if thought is None else thought.feed(item.text)
                    run.tokens.write(step.step_id, text)
        raise ProviderBadReply("the stream ended without a reply")

    async def _tell_begun(self, run: RunState, step: Step, *, sent_chars: int) -> None:
        """Tell what the question cost before its answer ends: a worker that is killed tells nothing later."""
        step.used_so_far = lambda: self._accountant.used_so_far(
            run, sent_chars=sent_chars, said_chars=self._said_chars
        )
        await run.publisher.announce(Heartbeat, calls=run.recorder.calls_at_work())

    def _read(self, reply: ModelReply, *, call_id: str) -> Turn:
        """Return what a reply says as a turn; what is wrong with it becomes a note to the model."""
        if self._dialogue.is_native or not self._dialogue.specs:
            turn = Turn(reply.text, list(reply.tool_calls))
            if reply.finish_reason == "length" and not turn.calls and self._dialogue.specs:
                turn.notes.append(self._cut_off())
            return turn
        try:
            thought, call = read_turn(reply.text, call_id=call_id)
        except InvalidArguments as error:
            note = self._cut_off() if reply.finish_reason == "length" else str(error)
            return Turn(bound(reply.text, 2000), notes=[note])
        return Turn(thought, [call])

    def _cut_off(self) -> str:
        return prompts.NUDGE_CUT_OFF.format(limit=self._dialogue.max_output_tokens)
