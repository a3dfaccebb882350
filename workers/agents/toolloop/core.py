"""What the tool loop decides without a model: how it asks, what was said before, when it goes in circles."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from blake3 import blake3

from workers.agents.mixins.persistence import is_turn
from workers.agents.steering import words_in
from workers.agents.toolloop import prompts
from workers.agents.toolloop.conversation import Turn
from workers.providers.reply import read_arguments
from workers.providers.types import ToolCall, ToolSpec
from workers.queue import Job
from workers.reasoning.tree import MAX_TEXT_CHARS
from workers.tools.schema import describe
from workers.tools.text import bound, first_line

TITLE_CHARS = 72
NUDGE_AT, STOP_AT = 3, 5
_CONVERSATION_CHARS = 3000
PIECE_CHARS = MAX_TEXT_CHARS // 2


class ToolLoopCore:
    """Plain data in, plain data out."""

    def goal_of(self, job: Job) -> str:
        """Return what is wanted; for an answer to a review, what was wanted in the first place."""
        return str((job.revision_of or {}).get("goal") or job.goal).strip()

    def title_of(self, goal: str, *, agent: str) -> str:
        """Return a title for a change set that answers `goal`."""
        line = first_line(goal, TITLE_CHARS).rstrip(".")
        return (line[:1].upper() + line[1:]) or f"Change by @{agent}"

    def system_text(
        self, instructions: str, specs: Sequence[ToolSpec], *, is_native: bool, examples: str = ""
    ) -> str:
        """Return the system message: the agent's instructions, and how tools are called with this model.

        Args:
            examples: Turns as a model that answers in JSON should write them, one a line.
        """
        if is_native:
            return instructions + prompts.NATIVE
        tools = "\n".join(f"- {spec.name} {describe(spec.parameters)} {spec.description}" for spec in specs)
        shown = prompts.EXAMPLES.format(examples=examples) if examples else ""
        return instructions + prompts.CONSTRAINED.format(tools=tools, examples=shown)

    def earlier_text(self, conversation: Sequence[Mapping[str, str]]) -> str:
        """Return what was said in the channel before the request; empty when nothing was."""
        if not conversation:
            return ""
        said = "\n".join(f"{item['author']}: {item['text']}" for item in conversation)
        return prompts.EARLIER.format(messages=bound(said, _CONVERSATION_CHARS))

    def rebuild(self, history: Iterable[Mapping[str, Any]]) -> list[Turn]:
        """Return the turns that finished steps tell of; calls without a finished step have no result."""
        turns: list[Turn] = []
        for step in history:
            detail = step.get("detail") or {}
            if is_turn(step):
                if turns:
                    turns[-1].notes = list(detail.get("notes", ()))
                turns.append(
                    Turn(detail.get("text", ""), [recalled(call) for call in detail.get("calls", ())])
                )
            elif turns and (call_id := detail.get("call_id")) in {call.id for call in turns[-1].calls}:
                turns[-1].results[str(call_id)] = detail.get("result", "")
            elif turns and (words := words_in(step)):
                turns[-1].notes.append(words)
        return turns

    def said_before(self, history: Iterable[Mapping[str, Any]]) -> str:
        """Return what people said before the model's first turn, as it stands below the opening."""
        said = ""
        for step in history:
            if is_turn(step):
                break
            said += f"\n\n{words}" if (words := words_in(step)) else ""
        return said

    def is_spoken_to(self, history: Sequence[Mapping[str, Any]], turns: Sequence[Turn]) -> bool:
        """Return whether a person spoke after all that the last turn asked for was done: the model is to answer that."""
        if not turns or any(call.id not in turns[-1].results for call in turns[-1].calls):
            return False
        newest = next((step for step in reversed(history) if step["kind"] == "person" or is_turn(step)), None)
        return newest is not None and bool(words_in(newest))


def recorded(call: ToolCall) -> dict[str, Any]:
    """Return a call as its step keeps it: whole, since a later attempt makes it word for word. A step cuts long texts, so that
    a long one stands there in pieces."""
    pieces = [call.raw[at : at + PIECE_CHARS] for at in range(0, len(call.raw), PIECE_CHARS)]
    return {"id": call.id, "name": call.name, "raw": pieces if len(pieces) > 1 else call.raw}


def recalled(data: Mapping[str, Any]) -> ToolCall:
    """Return the call that `recorded` wrote."""
    raw = data["raw"] if isinstance(data["raw"], str) else "".join(data["raw"])
    return ToolCall(data["id"], data["name"], read_arguments(raw), raw)


class RepeatDetector:
    """Counts calls that were made before and brought the same."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def count(self, call: ToolCall, result: str) -> int:
        """Return how often this call has brought this result, this time included."""
        arguments = json.dumps(call.arguments, sort_keys=True) if call.arguments is not None else call.raw
        # Durations differ from run to run and mean nothing.
        plain = re.sub(r"\b\d+(\.\d+)?\s?m?s\b", "", result)
        key = blake3(f"{call.name}\0{arguments}\0{plain}".encode("utf-8", "surrogatepass")).hexdigest()
        self._seen[key] += 1
        return self._seen[key]
