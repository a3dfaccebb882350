"""Lets a scripted brain that thinks in tool calls also answer in `@coder`'s JSON form for models without tools.

The form: each turn of the model is an object with thought, tool and arguments; the next user message begins with
"Result of <tool>:". The schema of a request lists the tools.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.framework.provider_double.script import Asked, Say


def tool_names(schema: dict[str, Any] | None) -> list[str]:
    """Return the tools that a schema of turns offers; none when it is something else."""
    turns = (schema or {}).get("oneOf", [])
    return [turn["properties"]["tool"]["const"] for turn in turns if "tool" in turn.get("properties", {})]


def unfold(asked: Asked) -> Asked:
    """Return the request as if it had come with native tools; unchanged when it is not of the JSON form."""
    names = tool_names(asked.schema)
    if asked.tools or not names:
        return asked
    messages: list[dict[str, Any]] = []
    for message in asked.messages:
        turn = _turn_of(message)
        last = messages[-1] if messages else None
        if turn is not None:
            call = {"id": None, "name": turn["tool"], "arguments": turn.get("arguments", {})}
            messages.append({**message, "content": turn.get("thought", ""), "tool_calls": [call]})
        elif last is not None and last["tool_calls"] and message["role"] == "user":
            messages.append({**message, "role": "tool", "name": last["tool_calls"][0]["name"]})
        else:
            messages.append(message)
    return replace(asked, messages=messages, tools=names)


def fold(asked: Asked, say: Say) -> Say:
    """Return a reply with its first call written in the form that `asked` wants."""
    if asked.tools or not say.calls or not tool_names(asked.schema):
        return say
    call = say.calls[0]
    turn = {"thought": say.text, "tool": call.name, "arguments": json.loads(call.raw)}
    return replace(say, text=json.dumps(turn, ensure_ascii=False), calls=())


def _turn_of(message: dict[str, Any]) -> dict[str, Any] | None:
    if message["role"] != "assistant":
        return None
    try:
        turn = json.loads(message["content"])
    except ValueError:
        return None
    return turn if isinstance(turn, dict) and "tool" in turn else None
