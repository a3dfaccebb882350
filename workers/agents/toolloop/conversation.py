"""What was said between an agent and its model, and how it is made to fit into the model's context.

Old tool outputs are shortened first, then whole old turns leave and a list of what they did stays. Both
happen in large pieces and never come back, so that the beginning of the conversation stays the same from turn
to turn and a provider can keep it in its cache.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workers.agents.toolloop.protocol import write_turn
from workers.providers.types import ContentPart, ImagePart, Message, TextPart, ToolCall
from workers.tools.text import bound

RECENT_TURNS = 3
"""The last turns are never shortened: they are what the model is working with."""
SHORTENED_CHARS = 240
PICTURE_CHARS = 5_000
BYTES_PER_CHAR = 400
_FILL_AFTER = 0.6
_MESSAGE_CHARS = 24
_GONE = "\n[… shortened; call the tool again to see it …]"


@dataclass(slots=True)
class Turn:
    """One answer of the model, what its calls brought, and what we said to it afterwards."""

    text: str
    calls: list[ToolCall] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_void: bool = False
    """It brought nothing, and a small model that saw it would say it again: only the notes are sent."""


class Conversation:
    """System text, opening, turns. `is_native` says whether calls and results are messages of their own
    kind."""

    def __init__(self, system: str, opening: str, *, is_native: bool) -> None:
        self.system, self.opening, self.is_native = system, opening, is_native
        self.parts: tuple[ContentPart, ...] = ()
        """What came with the goal, behind the opening."""
        self.turns: list[Turn] = []
        self._shortened = 0
        self._dropped = 0

    def fit(self, max_chars: int) -> list[Message]:
        """Return the messages, at most about `max_chars` characters of them."""
        messages = self.messages()
        if size_of(messages) <= max_chars:
            return messages
        target = int(max_chars * _FILL_AFTER)
        last = max(0, len(self.turns) - RECENT_TURNS)
        while size_of(messages := self.messages()) > target and self._shortened < last:
            self._shortened += 1
        while size_of(messages := self.messages()) > target and self._dropped < last:
            self._dropped += 1
        if size_of(messages) > max_chars:  # the recent turns alone are too long
            share = max(SHORTENED_CHARS, (max_chars - len(self.system)) // (2 * RECENT_TURNS + 2))
            messages = [
                _shorten(message, share) if index else message for index, message in enumerate(messages)
            ]
        return messages

    def messages(self) -> list[Message]:
        """Return the conversation with what was shortened and dropped so far."""
        opening = Message("user", self.opening + self._told(), parts=self.parts)
        messages = [Message("system", self.system), opening]
        for index, turn in enumerate(self.turns[self._dropped :], self._dropped):
            if turn.is_void and not self.is_native:
                messages[-1] = _with_notes(messages[-1], turn.notes)
            else:
                messages += self._of_turn(turn, is_short=index < self._shortened)
        return messages

    def _told(self) -> str:
        """What the dropped turns did, a line each."""
        if not self._dropped:
            return ""
        done = [
            f"- {call.name} {bound(call.raw, 80)}"
            for turn in self.turns[: self._dropped]
            for call in turn.calls
        ]
        return "\n\nYou have already done this (no longer shown):\n" + "\n".join(done[-40:])

    def _of_turn(self, turn: Turn, *, is_short: bool) -> list[Message]:
        calls = [_short_call(call) if is_short else _sendable(call) for call in turn.calls]
        results = [
            Message("tool", _cut(turn.results[call.id], is_short), tool_call_id=call.id)
            for call in turn.calls
            if call.id in turn.results
        ]
        notes = "\n\n".join(turn.notes)
        if self.is_native:
            said = Message("assistant", turn.text, tool_calls=tuple(calls))
            return [said, *results, *([Message("user", notes)] if notes else [])]
        text = write_turn(turn.text, calls[0]) if calls else turn.text
        heard = [
            f"Result of {call.name}:\n{result.content}" for call, result in zip(calls, results, strict=False)
        ]
        heard += [notes] if notes else []
        return [Message("assistant", text), *([Message("user", "\n\n".join(heard))] if heard else [])]


def size_of(messages: Sequence[Message]) -> int:
    """Return how many characters the messages are, calls and a little for each one's frame included."""
    return sum(
        len(message.content)
        + sum(len(call.raw) + len(call.name) for call in message.tool_calls)
        + sum(map(_size_of_part, message.parts))
        + _MESSAGE_CHARS
        for message in messages
    )


def _size_of_part(part: ContentPart) -> int:
    """Return how much of the context a part takes, in characters: a picture about 1,600 tokens, sound about 25 a second."""
    if isinstance(part, TextPart):
        return len(part.text)
    if isinstance(part, ImagePart):
        return PICTURE_CHARS
    return max(PICTURE_CHARS, len(part.data) // BYTES_PER_CHAR)


def _with_notes(message: Message, notes: Sequence[str]) -> Message:
    return replace(message, content="\n\n".join([message.content, *notes]))


def _cut(text: str, is_short: bool) -> str:
    return text if not is_short or len(text) <= SHORTENED_CHARS else text[:SHORTENED_CHARS] + _GONE


def _sendable(call: ToolCall) -> ToolCall:
    # What the model wrote was no JSON; some providers refuse to be sent it back, and the result quotes it anyway.
    return call if call.arguments is not None else ToolCall(call.id, call.name, {}, "{}")


def _short_call(call: ToolCall) -> ToolCall:
    arguments = {
        name: f"[… {len(value)} characters …]"
        if isinstance(value, str) and len(value) > SHORTENED_CHARS
        else value
        for name, value in (call.arguments or {}).items()
    }
    if arguments == call.arguments:
        return call
    return ToolCall(call.id, call.name, arguments, json.dumps(arguments, ensure_ascii=False))


def _shorten(message: Message, limit: int) -> Message:
    return replace(message, content=bound(message.content, limit))
