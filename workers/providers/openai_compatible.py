"""Any endpoint that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp, LM Studio, …"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Final

from workers.errors import ProviderBadReply
from workers.providers import abilities
from workers.providers.base import PROGRESS, READING_MISTAKES, Delta, extra_fields
from workers.providers.openai_client import OpenAIProvider
from workers.providers.parts import as_base64, as_text, data_url
from workers.providers.reply import ReplyBuilder
from workers.providers.schema import is_closed_schema
from workers.providers.types import (
    AudioPart,
    Capabilities,
    ContentPart,
    FinishReason,
    ImagePart,
    Message,
    ModelRequest,
    ToolCall,
    ToolSpec,
    Usage,
)

_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refusal",
}
# Hidden reasoning has no official field in chat completions; these two are what compatible servers send.
_REASONING_FIELDS: Final = ("reasoning_content", "reasoning")


class OpenAICompatibleProvider(OpenAIProvider):
    """Chat completions over the official client."""

    def _hears(self) -> bool:
        return abilities.hears(self._choice.model)

    def capabilities(self) -> Capabilities:
        return replace(super().capabilities(), has_files=self._is_openai)

    async def _deltas(self, request: ModelRequest, reply: ReplyBuilder) -> AsyncGenerator[Delta, None]:
        create: Any = self._client.chat.completions.create
        async with await create(**self._body(request)) as chunks:
            try:
                async for chunk in chunks:
                    for delta in _read_chunk(chunk, reply):
                        yield delta
            except READING_MISTAKES as error:
                raise ProviderBadReply("the provider sent a chunk that follows no protocol") from error

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        # OpenAI's newer models refuse `max_tokens`; many compatible servers know nothing else.
        limit_field = "max_completion_tokens" if self._is_openai else "max_tokens"
        body: dict[str, Any] = {
            "model": self._choice.model,
            "messages": _messages(request.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            limit_field: request.max_output_tokens,
        }
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.response_schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {
                    "name": "reply",
                    "schema": request.response_schema,
                    "strict": is_closed_schema(request.response_schema),
                },
            }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.stop:
            body["stop"] = list(request.stop)
        if extra := extra_fields(self._choice):
            body["extra_body"] = extra
        return body


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return the conversation. A tool's answer holds text only, so what else it brought follows as a person's message."""
    bodies: list[dict[str, Any]] = []
    brought: list[dict[str, Any]] = []
    for message in messages:
        if message.role != "tool" and brought:
            bodies.append({"role": "user", "content": brought})
            brought = []
        bodies.append(_message(message))
        if message.role == "tool":
            brought = [*brought, *map(_part, message.parts)]
    return [*bodies, {"role": "user", "content": brought}] if brought else bodies


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "tool":
        body["tool_call_id"] = message.tool_call_id
    elif message.parts:
        text = [{"type": "text", "text": message.content}] if message.content else []
        body["content"] = [*text, *map(_part, message.parts)]
    if message.tool_calls:
        body["tool_calls"] = [_call(call) for call in message.tool_calls]
    return body


def _part(part: ContentPart) -> dict[str, Any]:
    if (text := as_text(part)) is not None:
        return {"type": "text", "text": text}
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": {"url": data_url(part)}}
    if isinstance(part, AudioPart):
        sound = {"data": as_base64(part), "format": "mp3" if part.media_type == "audio/mpeg" else "wav"}
        return {"type": "input_audio", "input_audio": sound}
    return {"type": "file", "file": {"filename": part.name, "file_data": data_url(part)}}  # type: ignore[union-attr,arg-type]


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.raw or "{}"}
    return {"id": call.id, "type": "function", "function": function}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    }


def _read_chunk(chunk: Any, reply: ReplyBuilder) -> list[Delta]:
    if chunk.choices is None and chunk.usage is None:
        raise ProviderBadReply("the provider sent a chunk that follows no protocol")
    reply.has_begun = True
    reply.model = chunk.model or reply.model
    if chunk.usage is not None:
        reply.usage = _usage(chunk.usage)
    deltas: list[Delta] = []
    for choice in (chunk.choices or [])[:1]:
        deltas += _read_delta(choice.delta, reply)
        if choice.finish_reason:
            reply.finish(_FINISH.get(choice.finish_reason, "stop"))
    return deltas


def _read_delta(delta: Any, reply: ReplyBuilder) -> list[Delta]:
    deltas: list[Delta] = []
    if delta is None:
        return deltas
    if any(getattr(delta, name, None) for name in _REASONING_FIELDS):
        deltas.append(PROGRESS)
    if delta.content:
        deltas.append(reply.add_text(delta.content))
    if refusal := getattr(delta, "refusal", None):
        deltas.append(reply.add_text(refusal))
        reply.finish("refusal")
    for call in delta.tool_calls or ():
        # Servers that send a call whole may leave its index out.
        index = reply.call_count if call.index is None else call.index
        function = call.function
        deltas.append(reply.add_call(index, id=call.id, name=function.name, part=function.arguments or ""))
    return deltas


def _usage(usage: Any) -> Usage:
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached_input_tokens=cached)
