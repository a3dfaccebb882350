"""Any endpoint that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp, LM Studio, …"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

import httpx2
from openai import AsyncOpenAI

from workers.errors import ProviderBadReply
from workers.providers.addresses import check_base_url, guarded_client, is_near
from workers.providers.base import PROGRESS, READING_MISTAKES, Delta, HttpProvider, ReplyLimits, extra_fields
from workers.providers.reply import ReplyBuilder
from workers.providers.schema import is_closed_schema
from workers.providers.types import (
    FinishReason,
    Message,
    ModelChoice,
    ModelRequest,
    ToolCall,
    ToolSpec,
    Usage,
)

OPENAI_URL: Final = "https://api.openai.com/v1"
# A model on a busy processor reads a long prompt for minutes; seen: 370 s for 1,100 tokens of a 1.5B model.
NEAR_LIMITS: Final = ReplyLimits(first_token_s=900.0, between_tokens_s=300.0, total_s=1800.0)
_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refusal",
}
# Hidden reasoning has no official field in chat completions; these two are what compatible servers send.
_REASONING_FIELDS: Final = ("reasoning_content", "reasoning")


class OpenAICompatibleProvider(HttpProvider):
    """Chat completions over the official client."""

    @classmethod
    def limits_for(cls, choice: ModelChoice) -> ReplyLimits:
        return NEAR_LIMITS if is_near(choice.base_url or OPENAI_URL) else cls.default_limits

    def __init__(
        self, choice: ModelChoice, *, secret: str | None, limits: ReplyLimits, allow_private: bool = True
    ) -> None:
        super().__init__(choice, secret=secret, limits=limits)
        url = check_base_url(choice.base_url or OPENAI_URL, allow_private=allow_private)
        self._is_openai = url == OPENAI_URL
        self._client = AsyncOpenAI(
            api_key="added by the transport",
            base_url=url,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},
            http_client=guarded_client(
                httpx2,
                auth={"Authorization": f"Bearer {secret}"} if secret else {},
                allow_private=allow_private,
                max_bytes=limits.reply_bytes,
                connect_s=limits.connect_s,
            ),
        )

    async def aclose(self) -> None:
        await self._client.close()

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
            "messages": [_message(message) for message in request.messages],
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


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "tool":
        body["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        body["tool_calls"] = [_call(call) for call in message.tool_calls]
    return body


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
