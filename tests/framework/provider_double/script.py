"""What the double is asked and what it says, in one vocabulary for all protocols."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

FaultKind = Literal[
    "http",  # an error status instead of an answer
    "hang",  # the connection stays open and nothing comes
    "hang_midway",  # the first half comes, then nothing
    "garbage",  # 200 and bytes of no protocol
    "garbage_event",  # a right beginning, then an event that is no JSON
    "odd_event",  # events that are JSON, but of no protocol
    "cut",  # the connection breaks after half of the answer
    "unfinished",  # the body ends in order, but the answer has no end
    "long_line",  # one line that does not end for `size_bytes`
    "error_event",  # the stream begins well and reports an error in its middle
    "redirect",  # 307 to `location`
    "compressed",  # an answer packed although none was asked for
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break."""

    kind: FaultKind
    status: int = 500
    message: str = "the double was told to fail"
    headers: dict[str, str] = field(default_factory=dict)
    error_type: str = "server_error"
    size_bytes: int = 10 * 1024 * 1024
    location: str = "/elsewhere"


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; `arguments` as text goes out word for word, so it may be malformed."""

    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict)
    id: str | None = None

    @property
    def raw(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True, slots=True)
class Say:
    """One scripted reply."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    finish: Literal["stop", "length", "refusal"] = "stop"
    token_wait_s: float = 0.0
    reasoning: str = ""
    fault: Fault | None = None
    usage: tuple[float, float] | None = None
    """Input and output tokens, whatever they are; counted from the words when None."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Say:
        """Return the reply that a script file describes."""
        fields = dict(data)
        fields["calls"] = tuple(Call(**call) for call in fields.get("calls", ()))
        if fault := fields.get("fault"):
            fields["fault"] = Fault(**fault)
        if usage := fields.get("usage"):
            fields["usage"] = (usage[0], usage[1])
        return cls(**fields)

    def tokens(self) -> list[str]:
        """Return the text in pieces as a model would stream it."""
        return re.findall(r"\s*\S+|\s+$", self.text)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, read.

    `messages` are dicts with role, content, parts [(kind, media type, bytes)], tool_calls [{id, name, arguments}],
    tool_call_id and name. Services beside conversations have none.
    """

    protocol: Literal["openai", "responses", "anthropic", "ollama"]
    model: str
    messages: list[dict[str, Any]]
    tools: list[str]
    schema: dict[str, Any] | None
    is_stream: bool
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def last(self) -> dict[str, Any]:
        return self.messages[-1]

    def count_tokens(self) -> int:
        """Return a token count that grows as the conversation does: four characters a token."""
        return len(json.dumps(self.body.get("messages") or self.body.get("input") or [])) // 4


Brain = Callable[[Asked], Say]


class BadRequest(Exception):
    """The request breaks the protocol; the double answers 400 as the original would."""


def read_data_url(url: str) -> tuple[str, bytes]:
    """Return media type and data of a data URL; anything else would make the provider fetch it."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise BadRequest("Invalid data URL")
    return head.removeprefix("data:").removesuffix(";base64"), base64.b64decode(data, validate=True)


def say_usage(asked: Asked, say: Say) -> tuple[float, float]:
    """Return input and output tokens of one exchange."""
    if say.usage is not None:
        return say.usage
    return asked.count_tokens(), len(say.tokens()) + sum(len(call.raw) // 4 + 4 for call in say.calls)
