"""Anthropic's messages API over the official client."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

import httpx2
from anthropic import AsyncAnthropic, transform_schema

from workers.errors import ProviderBadReply
from workers.providers.addresses import check_base_url, guarded_client
from workers.providers.base import PROGRESS, READING_MISTAKES, Delta, HttpProvider, ReplyLimits, extra_fields
from workers.providers.parts import as_base64, as_text
from workers.providers.reply import ReplyBuilder
from workers.providers.types import (
    ContentPart,
    FinishReason,
    ImagePart,
    Message,
    ModelChoice,
    ModelRequest,
    ToolCall,
    Usage,
)

ANTHROPIC_URL: Final = "https://api.anthropic.com"
_FINISH: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}


class AnthropicProvider(HttpProvider):
    """Claude. The prompt is cached from turn to turn: an agent's loop sends it again with every step.

    A request's temperature is left out: the API takes none any more.
    """

    default_context_tokens = 200_000
    default_has_files = True

    def _sees(self) -> bool:
        return True

    def __init__(
        self, choice: ModelChoice, *, secret: str | None, limits: ReplyLimits, allow_private: bool = True
    ) -> None:
        super().__init__(choice, secret=secret, limits=limits)
        url = check_base_url(choice.base_url or ANTHROPIC_URL, allow_private=allow_private)
        self._client = AsyncAnthropic(
            api_key="added by the transport",
            base_url=url,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},
            http_client=guarded_client(
                httpx2,
                auth={"x-api-key": secret} if secret else {},
                allow_private=allow_private,
                max_bytes=limits.reply_bytes,
                connect_s=limits.connect_s,
            ),
        )

    async def aclose(self) -> None:
        await self._client.close()

    async def _deltas(self, request: ModelRequest, reply: ReplyBuilder) -> AsyncGenerator[Delta, None]:
        create: Any = self._client.messages.create
        async with await create(**self._body(request)) as events:
            reader = _EventReader(reply)
            try:
                async for event in events:
                    delta = reader.read(event)
                    if delta is not None:
                        yield delta
            except READING_MISTAKES as error:
                raise ProviderBadReply("the provider sent an event that follows no protocol") from error

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        system = "\n\n".join(message.content for message in request.messages if message.role == "system")
        body: dict[str, Any] = {
            "model": self._choice.model,
            "messages": _messages(request.messages),
            "max_tokens": request.max_output_tokens,
            "stream": True,
            "cache_control": {"type": "ephemeral"},
        }
        if system:
            body["system"] = system
        if request.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in request.tools
            ]
        if request.response_schema is not None:
            schema = transform_schema(request.response_schema)
            body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        if request.stop:
            body["stop_sequences"] = list(request.stop)
        if extra := extra_fields(self._choice):
            body["extra_body"] = extra
        return body


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return the conversation in turns: neighbours of one side become one message, as the API asks."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        side = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == side:
            turns[-1]["content"].extend(blocks)
        elif blocks:
            turns.append({"role": side, "content": blocks})
    return turns


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        content: Any = message.content
        if message.parts:
            content = [*_text(message.content), *map(_part, message.parts)]
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}]
    return [*_text(message.content), *map(_part, message.parts), *map(_tool_use, message.tool_calls)]


def _text(text: str) -> list[dict[str, Any]]:
    # The API refuses empty text.
    return [{"type": "text", "text": text}] if text.strip() else []


def _part(part: ContentPart) -> dict[str, Any]:
    if (text := as_text(part)) is not None:
        return {"type": "text", "text": text or " "}
    kind = "image" if isinstance(part, ImagePart) else "document"
    source = {"type": "base64", "media_type": part.media_type, "data": as_base64(part)}  # type: ignore[union-attr,arg-type]
    return {"type": kind, "source": source}


def _tool_use(call: ToolCall) -> dict[str, Any]:
    # Only an object may stand here, so what was no JSON goes back as the text of one field.
    arguments = {"malformed": call.raw} if call.arguments is None else call.arguments
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


class _EventReader:
    """Reads the events of one message, in the order they come."""

    def __init__(self, reply: ReplyBuilder) -> None:
        self._reply = reply
        self._started: Any = None
        self._stop_reason: str | None = None

    def read(self, event: Any) -> Delta | None:
        handler = getattr(self, f"_read_{event.type}", None)
        if handler is None:  # kinds of events that came after this was written mean nothing to us
            return None
        delta: Delta | None = handler(event)
        return delta

    def _read_message_start(self, event: Any) -> None:
        self._reply.has_begun = True
        self._reply.model = event.message.model or self._reply.model
        self._started = event.message.usage

    def _read_content_block_start(self, event: Any) -> Delta | None:
        block = event.content_block
        if block.type == "tool_use":
            return self._reply.add_call(event.index, id=block.id, name=block.name, part="")
        return None

    def _read_content_block_delta(self, event: Any) -> Delta | None:
        delta = event.delta
        if delta.type == "text_delta":
            return self._reply.add_text(delta.text)
        if delta.type == "input_json_delta":
            return self._reply.add_call(event.index, id=None, name=None, part=delta.partial_json)
        return PROGRESS

    def _read_message_delta(self, event: Any) -> None:
        self._stop_reason = event.delta.stop_reason or self._stop_reason
        if event.usage is not None:
            self._reply.usage = _usage(self._started, event.usage)

    def _read_message_stop(self, event: Any) -> None:
        self._reply.finish(_FINISH.get(self._stop_reason or "", "stop"))


def _usage(started: Any, ended: Any) -> Usage:
    """Return the whole usage. `input_tokens` of the API leaves out what came from the cache or went there."""

    def count(name: str) -> int:
        return getattr(ended, name, None) or getattr(started, name, None) or 0

    cached, written = count("cache_read_input_tokens"), count("cache_creation_input_tokens")
    return Usage(count("input_tokens") + cached + written, count("output_tokens"), cached, written)
