"""OpenAI's chat completions, as the double speaks them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from tests.framework.provider_double.script import Asked, BadRequest, Say, read_data_url, say_usage

PATH = "/v1/chat/completions"
CONTENT_TYPE = "text/event-stream"
_FINISH = {"stop": "stop", "length": "length", "refusal": "content_filter"}


def key_of(headers: dict[str, str]) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ")


def read(body: dict[str, Any], headers: dict[str, str]) -> Asked:
    """Return what was asked; refuse what the original refuses."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("'messages' must be a non-empty array")
    read_messages, open_calls, names = [], set(), {}
    for message in messages:
        role = message.get("role")
        if role not in ("system", "developer", "user", "assistant", "tool"):
            raise BadRequest(f"unknown role {role!r}")
        if open_calls and role != "tool":
            raise BadRequest(f"tool calls without an answer: {sorted(open_calls)}")
        calls = [
            {"id": c["id"], "name": c["function"]["name"], "arguments": loads(c["function"]["arguments"])}
            for c in message.get("tool_calls") or ()
        ]
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise BadRequest("a tool message must answer a preceding tool call")
            open_calls.discard(message["tool_call_id"])
        open_calls |= {call["id"] for call in calls}
        names |= {call["id"]: call["name"] for call in calls}
        read_messages.append(
            {
                "role": role,
                **_content(message.get("content") or "", role=role),
                "tool_calls": calls,
                "tool_call_id": message.get("tool_call_id"),
                "name": names.get(message.get("tool_call_id", "")),
            }
        )
    if open_calls:
        raise BadRequest(f"tool calls without an answer: {sorted(open_calls)}")
    response_format = body.get("response_format") or {}
    schema = response_format.get("json_schema", {}).get("schema") if response_format else None
    tools = [tool["function"]["name"] for tool in body.get("tools") or ()]
    is_stream = bool(body.get("stream"))
    return Asked("openai", str(body.get("model")), read_messages, tools, schema, is_stream, headers, body)


def _content(content: Any, *, role: str) -> dict[str, Any]:
    if isinstance(content, str):
        return {"content": content, "parts": []}
    texts, parts = [], []
    for part in content:
        kind = part["type"]
        if kind != "text" and role != "user":
            raise BadRequest(f"Invalid value: '{kind}' in a message of role '{role}'")
        if kind == "text":
            texts.append(part["text"])
        elif kind == "image_url":
            parts.append(("image", *read_data_url(part["image_url"]["url"])))
        elif kind == "input_audio":
            sound = part["input_audio"]
            parts.append(("audio", sound["format"], base64.b64decode(sound["data"], validate=True)))
        elif kind == "file":
            parts.append(("file", *read_data_url(part["file"]["file_data"])))
        else:
            raise BadRequest(f"Invalid value: '{kind}'")
    return {"content": "\n\n".join(texts), "parts": parts}


def error_body(message: str, error_type: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": error_type, "param": None, "code": None}}


def whole(asked: Asked, say: Say) -> dict[str, Any]:
    """Return the answer to a request without `stream`."""
    message: dict[str, Any] = {"role": "assistant", "content": say.text or None}
    if say.calls:
        message["tool_calls"] = [
            {"id": c.id or f"call_{i}", "type": "function", "function": {"name": c.name, "arguments": c.raw}}
            for i, c in enumerate(say.calls)
        ]
    return {
        "id": "chatcmpl-double",
        "object": "chat.completion",
        "created": 0,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(say), "logprobs": None}],
        "usage": _usage(asked, say),
    }


def events(asked: Asked, say: Say) -> Iterator[bytes]:
    """Yield the server-sent events of a streamed answer."""
    yield _event(asked, {"role": "assistant", "content": ""})
    for word in say.reasoning.split():
        yield _event(asked, {"reasoning_content": word})
    for token in say.tokens():
        yield _event(asked, {"content": token})
    for index, call in enumerate(say.calls):
        function = {"name": call.name, "arguments": ""}
        head = {"index": index, "id": call.id or f"call_{index}", "type": "function", "function": function}
        yield _event(asked, {"tool_calls": [head]})
        half = len(call.raw) // 2
        for part in (call.raw[:half], call.raw[half:]):
            yield _event(asked, {"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield _event(asked, {}, finish_reason=_finish(say))
    if (asked.body.get("stream_options") or {}).get("include_usage"):
        yield _data({**_frame(asked), "choices": [], "usage": _usage(asked, say)})
    yield b"data: [DONE]\n\n"


def is_token(event: bytes) -> bool:
    """Return whether the event carries something that the model made; a slow model waits for these."""
    return b'"delta": {"' in event and b'"role"' not in event


def error_event(message: str, error_type: str) -> bytes:
    return _data(error_body(message, error_type))


def odd_event() -> bytes:
    return b'data: {"weather": "fine", "choices": "none"}\n\n'


def garbage_event() -> bytes:
    return b"data: {not json at all\n\n"


def _finish(say: Say) -> str:
    return "tool_calls" if say.calls and say.finish == "stop" else _FINISH[say.finish]


def _usage(asked: Asked, say: Say) -> dict[str, float]:
    given, made = say_usage(asked, say)
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def _frame(asked: Asked) -> dict[str, Any]:
    return {"id": "chatcmpl-double", "object": "chat.completion.chunk", "created": 0, "model": asked.model}


def _event(asked: Asked, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    return _data({**_frame(asked), "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})


def _data(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def loads(raw: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw
