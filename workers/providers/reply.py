"""Puts a reply together from the pieces of a stream, the same way for every provider."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from workers.errors import ProviderBadReply, ProviderCutOff
from workers.providers.types import FinishReason, ModelReply, TextDelta, ToolCall, ToolCallDelta, Usage

# More calls than this in one turn is a model in a loop, not a plan.
MAX_TOOL_CALLS = 128


@dataclass(slots=True)
class _Call:
    id: str | None = None
    name: str = ""
    parts: list[str] = field(default_factory=list)


class ReplyBuilder:
    """Notes what a stream says. A reply exists only when the provider said that it ended (`finish`)."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.usage: Usage | None = None
        self.has_begun = False
        """The provider sent at least one message of its own protocol."""
        self._texts: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._finish_reason: FinishReason | None = None

    def add_text(self, text: str) -> TextDelta:
        self._texts.append(text)
        return TextDelta(text)

    def add_call(self, index: int, *, id: str | None, name: str | None, part: str) -> ToolCallDelta:
        """Note a piece of the tool call `index`; id and name may come with any piece, once."""
        if index not in self._calls and len(self._calls) >= MAX_TOOL_CALLS:
            raise ProviderBadReply(f"the model asked for more than {MAX_TOOL_CALLS} tool calls at once")
        call = self._calls.setdefault(index, _Call())
        call.id = call.id or id
        call.name = call.name or name or ""
        call.parts.append(part)
        return ToolCallDelta(index, name, part)

    @property
    def call_count(self) -> int:
        return len(self._calls)

    def finish(self, reason: FinishReason) -> None:
        self._finish_reason = reason

    def cut(self, chars: int) -> None:
        """End the answer after so many characters, at a stop sequence; calls that had begun are not made. The provider has
        counted nothing yet."""
        self._texts = ["".join(self._texts)[:chars]]
        self._calls.clear()
        self._finish_reason = "stop"

    def build(self) -> ModelReply:
        """Return the reply.

        Raises:
            ProviderBadReply: nothing of the protocol was seen, or a tool call has no name.
            ProviderCutOff: it began and its end was not seen.
        """
        if not self.has_begun:
            raise ProviderBadReply("the endpoint's answer is no model stream")
        if self._finish_reason is None:
            raise ProviderCutOff(received_chars=sum(map(len, self._texts)))
        calls = tuple(_tool_call(call) for _index, call in sorted(self._calls.items()))
        reason = self._finish_reason
        if calls and reason == "stop":  # several OpenAI-compatible servers say "stop" after tool calls
            reason = "tool_calls"
        return ModelReply("".join(self._texts), calls, self.usage, reason, self.model)


def _tool_call(call: _Call) -> ToolCall:
    if not call.name:
        raise ProviderBadReply("the model asked for a tool without naming it")
    raw = "".join(call.parts)
    # Some providers give no ids; ours must differ between the turns of a conversation.
    return ToolCall(call.id or f"call_{token_hex(6)}", call.name, read_arguments(raw), raw)


def read_arguments(raw: str) -> dict[str, Any] | None:
    """Return tool arguments as a dict, or None when `raw` is no JSON object. Nothing means no arguments."""
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
