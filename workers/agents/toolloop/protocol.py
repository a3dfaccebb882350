"""One tool call a turn as a JSON object, for models that cannot use native tools but can be held to a
schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from workers.providers.types import ToolCall, ToolSpec
from workers.tools.errors import InvalidArguments

_FENCE = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL)
_THOUGHT = re.compile(r'^\s*(?:```(?:json)?\s*)?\{\s*"thought"\s*:\s*"')
_UNREADABLE = (ValueError, RecursionError)
MAX_THOUGHT_CHARS = 600
"""A very small model would think on until it may say no more, and never come to its call."""


def response_schema(specs: Iterable[ToolSpec]) -> dict[str, Any]:
    """Return the schema of a turn: a thought first, since a small model decides better after it, then one
    call."""
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {
                    "thought": {"type": "string", "maxLength": MAX_THOUGHT_CHARS},
                    "tool": {"const": spec.name},
                    "arguments": spec.parameters,
                },
                "required": ["thought", "tool", "arguments"],
                "additionalProperties": False,
            }
            for spec in specs
        ]
    }


def read_turn(text: str, *, call_id: str) -> tuple[str, ToolCall]:
    """Return the thought and the call of a model's turn; JSON in a fence or after prose is found too.

    Raises:
        InvalidArguments: there is no call in it; the text tells the model what is missing.
    """
    value = _find_object(text)
    if value is None:
        raise InvalidArguments(
            "Your answer was no JSON object. Answer with one JSON object and nothing else."
        )
    name = value.get("tool") or value.get("name")
    if not isinstance(name, str):
        raise InvalidArguments('The field "tool" is missing. It names the tool to call.')
    arguments = value.get("arguments", {})
    thought = value.get("thought", "")
    call = ToolCall(
        call_id,
        name,
        arguments if isinstance(arguments, dict) else None,
        json.dumps(arguments, ensure_ascii=False),
    )
    return (thought if isinstance(thought, str) else ""), call


def write_turn(thought: str, call: ToolCall) -> str:
    """Return a turn as the model would have written it."""
    return json.dumps(
        {"thought": thought, "tool": call.name, "arguments": call.arguments or {}}, ensure_ascii=False
    )


def _find_object(text: str) -> dict[str, Any] | None:
    fenced = _FENCE.search(text)
    candidates = [text.strip(), fenced[1] if fenced else "", text[text.find("{") :] if "{" in text else ""]
    decoder = json.JSONDecoder(strict=False)
    for candidate in candidates:
        if not candidate.startswith("{"):
            continue
        try:
            value, _ = decoder.raw_decode(candidate)
        except _UNREADABLE:
            continue
        if isinstance(value, dict):
            return value
    return None


class ThoughtReader:
    """Takes a JSON turn piece by piece and gives back only what its thought says, for people who watch."""

    def __init__(self) -> None:
        self._text = ""
        self._given = 0

    def feed(self, piece: str) -> str:
        """Return the next characters of the thought."""
        self._text += piece
        if (start := _THOUGHT.match(self._text)) is None:
            return ""
        inside = _until_quote(self._text[start.end() :])
        try:
            thought: str = json.loads(f'"{inside}"', strict=False)
        except ValueError:
            return ""  # an escape is not complete yet
        if thought and "\ud800" <= thought[-1] <= "\udbff":
            thought = thought[:-1]  # half of a character; the other half is still to come
        fresh, self._given = thought[self._given :], max(self._given, len(thought))
        return fresh


def _until_quote(text: str) -> str:
    """The text up to the quote that ends a JSON string, or as far as it goes."""
    at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == '"':
            return text[:at]
        at += 1
    return text[:at] if at == len(text) else text[: at - 2]
