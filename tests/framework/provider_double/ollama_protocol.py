"""Ollama's chat API, as the double speaks it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from tests.framework.provider_double.script import Asked, BadRequest, Say, say_usage

PATH = "/api/chat"
CONTENT_TYPE = "application/x-ndjson"


def key_of(headers: dict[str, str]) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ")


def read(body: dict[str, Any], headers: dict[str, str]) -> Asked:
    """Return what was asked; refuse what the original refuses."""
    if not isinstance(body.get("messages"), list):
        raise BadRequest("messages are required")
    messages = [
        {
            "role": message["role"],
            "content": message.get("content") or "",
            "parts": [
                ("image", "", base64.b64decode(data, validate=True)) for data in message.get("images") or ()
            ],
            "tool_calls": [
                {"id": None, "name": c["function"]["name"], "arguments": c["function"]["arguments"]}
                for c in message.get("tool_calls") or ()
            ],
            "tool_call_id": None,
            "name": message.get("tool_name"),
        }
        for message in body["messages"]
    ]
    if any(not isinstance(call["arguments"], dict) for m in messages for call in m["tool_calls"]):
        raise BadRequest("json: cannot unmarshal string into Go struct field of arguments")
    tools = [tool["function"]["name"] for tool in body.get("tools") or ()]
    schema = body.get("format") if isinstance(body.get("format"), dict) else None
    is_stream = body.get("stream") is not False
    return Asked("ollama", str(body.get("model")), messages, tools, schema, is_stream, headers, body)


def error_body(message: str, error_type: str) -> dict[str, Any]:
    return {"error": message}


def whole(asked: Asked, say: Say) -> dict[str, Any]:
    """Return the answer to a request without `stream`."""
    message: dict[str, Any] = {"role": "assistant", "content": say.text}
    if say.calls:
        message["tool_calls"] = [_call(call.name, call.raw) for call in say.calls]
    return {**_frame(asked), "message": message, **_end(asked, say)}


def events(asked: Asked, say: Say) -> Iterator[bytes]:
    """Yield the lines of a streamed answer."""
    for word in say.reasoning.split():
        yield _line(asked, {"role": "assistant", "content": "", "thinking": word})
    for token in say.tokens():
        yield _line(asked, {"role": "assistant", "content": token})
    for call in say.calls:
        yield _line(asked, {"role": "assistant", "content": "", "tool_calls": [_call(call.name, call.raw)]})
    end = {**_frame(asked), "message": {"role": "assistant", "content": ""}, **_end(asked, say)}
    yield json.dumps(end).encode() + b"\n"


def is_token(event: bytes) -> bool:
    """Return whether the event carries something that the model made; a slow model waits for these."""
    return b'"done": false' in event


def error_event(message: str, error_type: str) -> bytes:
    return json.dumps({"error": message}).encode() + b"\n"


def odd_event() -> bytes:
    return b'{"weather": "fine", "message": 7}\n'


def garbage_event() -> bytes:
    return b"{not json at all\n"


def _call(name: str, raw: str) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": json.loads(raw)}}


def _end(asked: Asked, say: Say) -> dict[str, Any]:
    given, made = say_usage(asked, say)
    reason = "length" if say.finish == "length" else "stop"
    return {"done": True, "done_reason": reason, "prompt_eval_count": given, "eval_count": made}


def _frame(asked: Asked) -> dict[str, Any]:
    return {"model": asked.model, "created_at": "2026-01-01T00:00:00Z", "done": False}


def _line(asked: Asked, message: dict[str, Any]) -> bytes:
    return json.dumps({**_frame(asked), "message": message}).encode() + b"\n"
