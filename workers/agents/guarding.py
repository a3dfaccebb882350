"""What leaves for a model: everything but secrets.

A file that an agent reads may hold a key. The model's provider must not get it, so each request is looked through at the one door
through which it leaves; what was hidden is told, never its value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from workers.codehealth.patterns import PatternSet
from workers.providers.base import Provider
from workers.providers.forwarding import ForwardingProvider
from workers.providers.parts import is_text
from workers.providers.types import (
    ContentPart,
    FilePart,
    Message,
    ModelRequest,
    StreamItem,
    TextPart,
    ToolCall,
)


class SecretGuard:
    """Hides secrets in requests. `hidden` counts those of the last request by what they are."""

    def __init__(self, patterns: PatternSet) -> None:
        self._patterns = patterns
        self.hidden: Counter[str] = Counter()

    def conceal(self, request: ModelRequest) -> ModelRequest:
        """Return the request without secrets."""
        self.hidden = Counter()
        return replace(request, messages=tuple(self._message(message) for message in request.messages))

    def _message(self, message: Message) -> Message:
        calls = tuple(self._call(call) for call in message.tool_calls)
        parts = tuple(self._part(part) for part in message.parts)
        return replace(message, content=self._text(message.content), tool_calls=calls, parts=parts)

    def _part(self, part: ContentPart) -> ContentPart:
        if isinstance(part, TextPart):
            return replace(part, text=self._text(part.text))
        if isinstance(part, FilePart) and is_text(part):
            text = part.data.decode(errors="replace")
            return replace(part, data=self._text(text).encode(), name=self._text(part.name))
        return part

    def _call(self, call: ToolCall) -> ToolCall:
        return replace(call, arguments=self._value(call.arguments), raw=self._text(call.raw))

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {key: self._value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        return value

    def _text(self, text: str) -> str:
        clean, hidden = self._patterns.hide_secrets(text)
        self.hidden += hidden
        return clean


class GuardedProvider(ForwardingProvider):
    """A provider that is asked without secrets."""

    def __init__(self, inner: Provider, guard: SecretGuard) -> None:
        super().__init__(inner)
        self._guard = guard

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamItem, None]:
        async with aclosing(self._inner.stream(self._guard.conceal(request))) as items:
            async for item in items:
                yield item
