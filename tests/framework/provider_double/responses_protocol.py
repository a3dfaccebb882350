"""OpenAI's Responses API, as the double speaks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from tests.framework.provider_double import openai_protocol
from tests.framework.provider_double.script import Asked, BadRequest, Say, read_data_url, say_usage

PATH = "/v1/responses"
CONTENT_TYPE = "text/event-stream"
key_of = openai_protocol.key_of
error_body = openai_protocol.error_body
garbage_event = openai_protocol.garbage_event


def read(body: dict[str, Any], headers: dict[str, str]) -> Asked:
    """Return what was asked; refuse what the original refuses."""
    for name in ("messages", "max_tokens", "stop"):
        if name in body:
            raise BadRequest(f"Unknown parameter: '{name}'.")
    if body.get("store") is not False:
        raise BadRequest("the double keeps nothing: send store=false")
    items = body.get("input")
    if not isinstance(items, list) or not items:
        raise BadRequest("'input' must be a non-empty array")
    messages: list[dict[str, Any]] = []
    if body.get("instructions"):
        messages.append(_plain("system", body["instructions"]))
    open_calls: dict[str, str] = {}
    for item in items:
        messages.append(_read_item(item, open_calls))
    if open_calls:
        raise BadRequest(f"No tool output found for function call {sorted(open_calls)}.")
    schema = ((body.get("text") or {}).get("format") or {}).get("schema")
    tools = [tool["name"] for tool in body.get("tools") or ()]
    is_stream = bool(body.get("stream"))
    return Asked("responses", str(body.get("model")), messages, tools, schema, is_stream, headers, body)


def _read_item(item: dict[str, Any], open_calls: dict[str, str]) -> dict[str, Any]:
    kind = item.get("type", "message")
    if kind == "function_call":
        open_calls[item["call_id"]] = item["name"]
        call = {
            "id": item["call_id"],
            "name": item["name"],
            "arguments": openai_protocol.loads(item["arguments"]),
        }
        return {**_plain("assistant", ""), "tool_calls": [call]}
    if kind == "function_call_output":
        name = open_calls.pop(item["call_id"], None)
        if name is None:
            raise BadRequest(f"No tool call found for function call output {item['call_id']}.")
        return {**_plain("tool", item["output"]), "tool_call_id": item["call_id"], "name": name}
    if kind != "message" or item.get("role") not in ("user", "assistant", "system", "developer"):
        raise BadRequest(f"Invalid value: {kind!r} {item.get('role')!r}")
    return _plain(item["role"], item["content"])


def _plain(role: str, content: Any) -> dict[str, Any]:
    parts: list[Any] = []
    if not isinstance(content, str):
        texts = [part["text"] for part in content if part["type"] == "input_text"]
        for part in content:
            if part["type"] == "input_image":
                parts.append(("image", *read_data_url(part["image_url"])))
            elif part["type"] == "input_file":
                parts.append(("file", *read_data_url(part["file_data"])))
            elif part["type"] != "input_text":
                raise BadRequest(f"Invalid value: '{part['type']}'.")
        content = "\n\n".join(texts)
    return {
        "role": role,
        "content": content,
        "parts": parts,
        "tool_calls": [],
        "tool_call_id": None,
        "name": None,
    }


def whole(asked: Asked, say: Say) -> dict[str, Any]:
    """Return the answer to a request without `stream`."""
    return _response(asked, say, status="completed")


def events(asked: Asked, say: Say) -> Iterator[bytes]:
    """Yield the server-sent events of a streamed answer."""
    numbers = count()

    def event(kind: str, **fields: Any) -> bytes:
        return _event(f"response.{kind}", {"sequence_number": next(numbers), **fields})

    begun = {**_response(asked, say, status="in_progress"), "output": [], "usage": None}
    yield event("created", response=begun)
    yield event("in_progress", response=begun)
    index = 0
    if say.reasoning:
        item = {"id": "rs_1", "type": "reasoning", "summary": []}
        yield event("output_item.added", output_index=index, item=item)
        for word in say.reasoning.split():
            place = {"item_id": "rs_1", "output_index": index, "summary_index": 0}
            yield event("reasoning_summary_text.delta", **place, delta=word)
        yield event("output_item.done", output_index=index, item=item)
        index += 1
    if say.text:
        yield from _text_events(event, say, index)
        index += 1
    for number, call in enumerate(say.calls):
        item = {**_call_item(number, call), "arguments": "", "status": "in_progress"}
        yield event("output_item.added", output_index=index, item=item)
        half = len(call.raw) // 2
        place = {"item_id": item["id"], "output_index": index}
        for part in (call.raw[:half], call.raw[half:]):
            yield event("function_call_arguments.delta", **place, delta=part)
        yield event("function_call_arguments.done", **place, arguments=call.raw)
        yield event("output_item.done", output_index=index, item=_call_item(number, call))
        index += 1
    if say.finish == "length":
        end = _response(asked, say, status="incomplete")
        yield event("incomplete", response={**end, "incomplete_details": {"reason": "max_output_tokens"}})
    else:
        yield event("completed", response=_response(asked, say, status="completed"))


def _text_events(event: Any, say: Say, index: int) -> Iterator[bytes]:
    place = {"item_id": "msg_1", "output_index": index, "content_index": 0}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    kind = "refusal" if say.finish == "refusal" else "output_text"
    part = (
        {"type": kind, "annotations": [], "text": ""} if kind == "output_text" else {"type": kind, kind: ""}
    )
    yield event("output_item.added", output_index=index, item=item)
    yield event("content_part.added", **place, part=part)
    for token in say.tokens():
        extra = {"logprobs": []} if kind == "output_text" else {}
        yield event(f"{kind}.delta", **place, delta=token, **extra)
    yield event(
        f"{kind}.done", **place, **({"text": say.text, "logprobs": []} if extra else {kind: say.text})
    )
    yield event("output_item.done", output_index=index, item=_text_item(say))


def is_token(event: bytes) -> bool:
    """Return whether the event carries something that the model made; a slow model waits for these."""
    return b".delta" in event


def error_event(message: str, error_type: str) -> bytes:
    return _event("error", {"code": error_type, "message": message, "param": None, "sequence_number": 99})


def odd_event() -> bytes:
    return _event("response.output_text.delta", {"weather": "fine"})


def _text_item(say: Say) -> dict[str, Any]:
    part = (
        {"type": "refusal", "refusal": say.text}
        if say.finish == "refusal"
        else {"type": "output_text", "text": say.text, "annotations": []}
    )
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def _call_item(number: int, call: Any) -> dict[str, Any]:
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "status": "completed",
        "call_id": call.id or f"call_{number}",
        "name": call.name,
        "arguments": call.raw,
    }


def _response(asked: Asked, say: Say, *, status: str) -> dict[str, Any]:
    given, made = say_usage(asked, say)
    output = [_text_item(say)] if say.text else []
    output += [_call_item(number, call) for number, call in enumerate(say.calls)]
    return {
        "id": "resp_double",
        "object": "response",
        "created_at": 0,
        "status": status,
        "model": asked.model,
        "error": None,
        "incomplete_details": None,
        "output": output,
        "usage": {
            "input_tokens": given,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": given + made,
        },
    }


def _event(kind: str, value: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **value})}\n\n".encode()
