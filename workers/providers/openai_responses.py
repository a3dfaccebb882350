"""OpenAI's Responses API over the official client.

Nothing is stored at the provider: every request brings the whole conversation. The API has no stop sequences; the
text is cut at the first one on our side.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from workers.errors import ProviderBadReply
from workers.providers.base import PROGRESS, READING_MISTAKES, Delta, extra_fields
from workers.providers.faults import fault_of_body
from workers.providers.openai_client import OpenAIProvider
from workers.providers.parts import as_text, data_url
from workers.providers.reply import ReplyBuilder
from workers.providers.schema import is_closed_schema
from workers.providers.types import ContentPart, ImagePart, Message, ModelRequest, ToolCall, ToolSpec, Usage

# `response.error` names its kind by a code, not by a type.
_TYPE_OF_CODE: Final = {
    "rate_limit_exceeded": "rate_limit_error",
    "server_error": "server_error",
    "vector_store_timeout": "timeout_error",
}


class OpenAIResponsesProvider(OpenAIProvider):
    """Responses: streamed events, tools, images, files, JSON schema, refusals; reasoning is a sign of life."""

    default_context_tokens = 128_000
    default_has_files = True

    async def _deltas(self, request: ModelRequest, reply: ReplyBuilder) -> AsyncGenerator[Delta, None]:
        create: Any = self._client.responses.create
        async with await create(**self._body(request)) as events:
            reader = _EventReader(reply, secret=self._secret)
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
            "input": [item for message in request.messages for item in _items(message)],
            "max_output_tokens": request.max_output_tokens,
            "stream": True,
            "store": False,
        }
        if system:
            body["instructions"] = system
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.response_schema is not None:
            schema = request.response_schema
            is_strict = is_closed_schema(schema)
            kind = {"type": "json_schema", "name": "reply", "schema": schema, "strict": is_strict}
            body["text"] = {"format": kind}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if extra := extra_fields(self._choice):
            body["extra_body"] = extra
        return body


def _items(message: Message) -> list[dict[str, Any]]:
    if message.role == "system":
        return []
    if message.role == "tool":
        output: Any = message.content
        if message.parts:
            output = [{"type": "input_text", "text": message.content}, *map(_part, message.parts)]
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": output}]
    if message.role == "assistant":
        said = [{"role": "assistant", "content": message.content}] if message.content else []
        return said + [_call(call) for call in message.tool_calls]
    text = [{"type": "input_text", "text": message.content}] if message.content else []
    return [{"role": "user", "content": [*text, *map(_part, message.parts)]}]


def _part(part: ContentPart) -> dict[str, Any]:
    if (text := as_text(part)) is not None:
        return {"type": "input_text", "text": text}
    if isinstance(part, ImagePart):
        return {"type": "input_image", "image_url": data_url(part), "detail": "auto"}
    return {"type": "input_file", "filename": part.name, "file_data": data_url(part)}  # type: ignore[union-attr,arg-type]


def _call(call: ToolCall) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.raw or "{}"}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": False,
    }


def _said(event: Any) -> str:
    # The client makes up absent fields as None.
    if not isinstance(event.delta, str):
        raise TypeError("a delta without text")
    return event.delta


class _EventReader:
    """Reads the events of one response, in the order they come."""

    def __init__(self, reply: ReplyBuilder, *, secret: str | None) -> None:
        self._reply = reply
        self._secret = secret
        self._has_refused = False
        self._begun: set[int] = set()
        """Calls of which arguments came piece by piece."""

    def read(self, event: Any) -> Delta | None:
        kind = event.type
        if not kind.startswith("response.") and kind != "error":
            raise ProviderBadReply("the provider sent an event that follows no protocol")
        handler = getattr(self, "_read_" + kind.removeprefix("response.").replace(".", "_"), None)
        if handler is None:  # reasoning, and what came after this was written: it works, but says nothing
            return PROGRESS
        delta: Delta | None = handler(event)
        return delta

    def _read_created(self, event: Any) -> None:
        self._reply.has_begun = True
        self._reply.model = event.response.model or self._reply.model

    def _read_in_progress(self, event: Any) -> None:
        """Sent before the model works: no sign of life yet."""

    def _read_queued(self, event: Any) -> None:
        """As above."""

    def _read_output_text_delta(self, event: Any) -> Delta:
        return self._reply.add_text(_said(event))

    def _read_refusal_delta(self, event: Any) -> Delta:
        self._has_refused = True
        return self._reply.add_text(_said(event))

    def _read_output_item_added(self, event: Any) -> Delta:
        item = event.item
        if item.type != "function_call":
            return PROGRESS
        return self._reply.add_call(event.output_index, id=item.call_id, name=item.name, part="")

    def _read_function_call_arguments_delta(self, event: Any) -> Delta:
        self._begun.add(event.output_index)
        return self._reply.add_call(event.output_index, id=None, name=None, part=_said(event))

    def _read_output_item_done(self, event: Any) -> Delta:
        item = event.item
        if item.type != "function_call" or event.output_index in self._begun:
            return PROGRESS
        # Servers that send a call whole may send nothing before.
        self._begun.add(event.output_index)
        part = item.arguments or ""
        return self._reply.add_call(event.output_index, id=item.call_id, name=item.name, part=part)

    def _read_completed(self, event: Any) -> None:
        self._end(event.response)
        self._reply.finish("refusal" if self._has_refused else "stop")

    def _read_incomplete(self, event: Any) -> None:
        self._end(event.response)
        reason = getattr(event.response.incomplete_details, "reason", None)
        self._reply.finish("refusal" if reason == "content_filter" or self._has_refused else "length")

    def _read_failed(self, event: Any) -> None:
        error = event.response.error
        self._fail(getattr(error, "code", None), getattr(error, "message", None))

    def _read_error(self, event: Any) -> None:
        self._fail(getattr(event, "code", None), getattr(event, "message", None))

    def _fail(self, code: str | None, message: str | None) -> None:
        kind = _TYPE_OF_CODE.get(code or "", code or "server_error")
        body = {"error": {"type": kind, "message": message or "the provider failed"}}
        raise fault_of_body(body, "the provider failed", secret=self._secret)

    def _end(self, response: Any) -> None:
        self._reply.has_begun = True
        self._reply.model = response.model or self._reply.model
        if (usage := response.usage) is not None:
            details = getattr(usage, "input_tokens_details", None)
            cached = getattr(details, "cached_tokens", None) or 0
            written = getattr(details, "cache_write_tokens", None) or 0
            self._reply.usage = Usage(usage.input_tokens or 0, usage.output_tokens or 0, cached, written)
