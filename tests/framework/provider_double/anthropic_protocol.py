"""Anthropic's messages API, as the double speaks it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from tests.framework.provider_double.script import Asked, BadRequest, Say, say_usage

PATH = "/v1/messages"
CONTENT_TYPE = "text/event-stream"
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_FINISH = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}


def key_of(headers: dict[str, str]) -> str:
    return headers.get("x-api-key", "")


def read(body: dict[str, Any], headers: dict[str, str]) -> Asked:
    """Return what was asked; refuse what the original refuses."""
    if "anthropic-version" not in headers:
        raise BadRequest("anthropic-version: header is required")
    if not isinstance(body.get("max_tokens"), int):
        raise BadRequest("max_tokens: Field required")
    turns = body.get("messages")
    if not isinstance(turns, list) or not turns or turns[0].get("role") != "user":
        raise BadRequest("messages: first message must use the user role")
    system = body.get("system")
    messages = [_plain("system", system if isinstance(system, str) else json.dumps(system))] if system else []
    open_calls: dict[str, str] = {}
    previous = None
    for turn in turns:
        if turn["role"] == previous:
            raise BadRequest("messages: roles must alternate")
        previous = turn["role"]
        messages += _read_turn(turn, open_calls)
    if open_calls:
        raise BadRequest("messages: `tool_use` ids were found without `tool_result` blocks")
    output = (body.get("output_config") or {}).get("format") or {}
    tools = [tool["name"] for tool in body.get("tools") or ()]
    is_stream = bool(body.get("stream"))
    return Asked(
        "anthropic", str(body.get("model")), messages, tools, output.get("schema"), is_stream, headers, body
    )


def _read_turn(turn: dict[str, Any], open_calls: dict[str, str]) -> list[dict[str, Any]]:
    content = turn["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if open_calls and not any(block["type"] == "tool_result" for block in blocks):
        raise BadRequest("messages: `tool_use` ids were found without `tool_result` blocks immediately after")
    found: list[dict[str, Any]] = []
    for block in blocks:
        if block["type"] == "text":
            if not block["text"].strip():
                raise BadRequest("messages: text content blocks must be non-empty")
            found.append(_plain(turn["role"], block["text"]))
        elif block["type"] in ("image", "document"):
            found.append({**_plain(turn["role"], ""), "parts": [_part(block)]})
        elif block["type"] == "tool_use":
            open_calls[block["id"]] = block["name"]
            call = {"id": block["id"], "name": block["name"], "arguments": block["input"]}
            found.append({**_plain("assistant", ""), "tool_calls": [call]})
        elif block["type"] == "tool_result":
            name = open_calls.pop(block["tool_use_id"], None)
            if name is None:
                raise BadRequest("messages: unexpected `tool_use_id` found in `tool_result` blocks")
            answer = {"tool_call_id": block["tool_use_id"], "name": name}
            found.append({**_plain("tool", ""), **_result(block["content"]), **answer})
    return found


def _part(block: dict[str, Any]) -> tuple[str, str, bytes]:
    source = block["source"]
    allowed = {"image": _IMAGES, "document": ("application/pdf",)}[block["type"]]
    if source["type"] != "base64" or source["media_type"] not in allowed:
        raise BadRequest(f"messages: source.media_type should be one of {allowed}")
    kind = {"image": "image", "document": "file"}[block["type"]]
    return kind, source["media_type"], base64.b64decode(source["data"], validate=True)


def _result(content: Any) -> dict[str, Any]:
    if isinstance(content, str):
        return {"content": content}
    texts = [block["text"] for block in content if block["type"] == "text"]
    return {"content": "\n\n".join(texts), "parts": [_part(b) for b in content if b["type"] != "text"]}


def _plain(role: str, content: str) -> dict[str, Any]:
    return {
        "role": role,
        "content": content,
        "parts": [],
        "tool_calls": [],
        "tool_call_id": None,
        "name": None,
    }


def error_body(message: str, error_type: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": error_type, "message": message}}


def whole(asked: Asked, say: Say) -> dict[str, Any]:
    """Return the answer to a request without `stream`."""
    content: list[dict[str, Any]] = [{"type": "text", "text": say.text}] if say.text else []
    content += [
        {"type": "tool_use", "id": c.id or f"toolu_{i}", "name": c.name, "input": json.loads(c.raw)}
        for i, c in enumerate(say.calls)
    ]
    return {
        **_message(asked, say),
        "content": content,
        "stop_reason": _finish(say),
        "usage": _usage(asked, say),
    }


def events(asked: Asked, say: Say) -> Iterator[bytes]:
    """Yield the server-sent events of a streamed answer."""
    start_usage = {**_usage(asked, say), "output_tokens": 1}
    yield _event("message_start", {"message": {**_message(asked, say), "usage": start_usage}})
    yield _event("ping", {})
    index = 0
    if say.reasoning:
        yield from _block(index, {"type": "thinking", "thinking": "", "signature": ""}, _thoughts(say))
        index += 1
    if say.text:
        deltas = [{"type": "text_delta", "text": token} for token in say.tokens()]
        yield from _block(index, {"type": "text", "text": ""}, deltas)
        index += 1
    for call in say.calls:
        half = len(call.raw) // 2
        parts = ("", call.raw[:half], call.raw[half:])
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        block = {"type": "tool_use", "id": call.id or f"toolu_{index}", "name": call.name, "input": {}}
        yield from _block(index, block, deltas)
        index += 1
    end = {"stop_reason": _finish(say), "stop_sequence": None}
    yield _event(
        "message_delta", {"delta": end, "usage": {"output_tokens": _usage(asked, say)["output_tokens"]}}
    )
    yield _event("message_stop", {})


def is_token(event: bytes) -> bool:
    """Return whether the event carries something that the model made; a slow model waits for these."""
    return b"content_block_delta" in event


def error_event(message: str, error_type: str) -> bytes:
    return _event("error", {"error": {"type": error_type, "message": message}})


def odd_event() -> bytes:
    return _event("content_block_delta", {"weather": "fine"})


def garbage_event() -> bytes:
    return b"event: content_block_delta\ndata: {not json at all\n\n"


def _thoughts(say: Say) -> list[dict[str, Any]]:
    return [{"type": "thinking_delta", "thinking": word} for word in say.reasoning.split()]


def _block(index: int, block: dict[str, Any], deltas: list[dict[str, Any]]) -> Iterator[bytes]:
    yield _event("content_block_start", {"index": index, "content_block": block})
    for delta in deltas:
        yield _event("content_block_delta", {"index": index, "delta": delta})
    yield _event("content_block_stop", {"index": index})


def _message(asked: Asked, say: Say) -> dict[str, Any]:
    frame = {"id": "msg_double", "type": "message", "role": "assistant", "model": asked.model}
    return {**frame, "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(asked, say)}


def _finish(say: Say) -> str:
    return "tool_use" if say.calls and say.finish == "stop" else _FINISH[say.finish]


def _usage(asked: Asked, say: Say) -> dict[str, float]:
    given, made = say_usage(asked, say)
    return {"input_tokens": given, "output_tokens": made}


def _event(kind: str, value: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **value})}\n\n".encode()
