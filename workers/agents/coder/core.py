"""What @coder decides without a model: what is asked, what to tell, when it goes in circles."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blake3 import blake3

from workers.agents.coder import prompts
from workers.agents.coder.conversation import Turn
from workers.providers.reply import read_arguments
from workers.providers.types import ToolCall, ToolSpec
from workers.queue import Job
from workers.tools.schema import describe
from workers.tools.text import bound, first_line

ANYWAY = "--anyway"
TITLE_CHARS = 72
MIN_REPORT_WORDS = 8
"""Whoever writes as much without a question tells of a fault or a wish."""
NUDGE_AT, STOP_AT = 3, 5
_CONVERSATION_CHARS = 3000

_CHANGES = re.compile(
    r"\b(fix|repair|mend|add|implement|change|rename|remove|delete|refactor|write|create|make|update|move|replace"
    r"|convert|migrate|bump|correct|debug|solve|resolve|extend|optimi[sz]e|clean|format|port|split|merge|document"
    r"|adapt|improve|rewrite|upgrade|extract|introduce|handle|support|let|ensure|drop|raise|catch|test|must|should|bugs?|wrong|broken|fails?|crash(es)?"
    r"|throws?|errors?|instead)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"^\s*(what|why|how|where|who|when|which|does|do|is|are|explain|describe|tell|hi|hello|hey|thanks)\b",
    re.IGNORECASE,
)
_ORDERS = re.compile(r"\b(please|can you|could you|would you|will you)\b", re.IGNORECASE)
_CHECKS = re.compile(
    r"\b(pytest|unittest|tox|nox|npm|npx|yarn|pnpm|node|deno|bun|cargo|go (test|vet|build)|make|ctest|mvn|gradle"
    r"|python3?|ruff|mypy|flake8|pylint|pyright|eslint|tsc|rspec|phpunit|dotnet)\b"
)


@dataclass(frozen=True, slots=True)
class TestState:
    """What the tests said on one tree."""

    __test__ = False
    tree: str
    is_ok: bool
    failed: int | None


class CoderCore:
    """Plain data in, plain data out."""

    def is_change_request(self, goal: str) -> bool:
        """Return whether somebody wants code changed, as far as words tell; used for courtesies, never for
        rights."""
        if _ASKS.match(goal) and not _ORDERS.search(goal):
            return False
        is_report = len(goal.split()) >= MIN_REPORT_WORDS and "?" not in goal
        return is_report or bool(_CHANGES.search(goal))

    def goal_of(self, job: Job) -> str:
        """Return what is wanted; for an answer to a review, what was wanted in the first place."""
        goal = (job.revision_of or {}).get("goal") or job.goal
        return str(goal).replace(ANYWAY, "").strip()

    def title_of(self, goal: str) -> str:
        """Return a title for a change set that answers `goal`."""
        line = first_line(goal, TITLE_CHARS).rstrip(".")
        return (line[:1].upper() + line[1:]) or "Change by @coder"

    def is_check(self, command: str) -> bool:
        """Return whether a command tells something about the code's health; `ls` and `cat` do not."""
        return bool(_CHECKS.search(command))

    def system_text(self, specs: Sequence[ToolSpec], *, is_native: bool) -> str:
        """Return the system message."""
        if is_native:
            return prompts.SYSTEM + prompts.NATIVE
        tools = "\n".join(f"- {spec.name} {describe(spec.parameters)} {spec.description}" for spec in specs)
        return prompts.SYSTEM + prompts.CONSTRAINED.format(tools=tools)

    def opening_text(
        self,
        goal: str,
        *,
        conversation: Sequence[Mapping[str, str]] = (),
        revision_of: Mapping[str, Any] | None = None,
        listing: str = "",
        baseline: str = "",
    ) -> str:
        """Return the first message: what was said, what is wanted, what is there."""
        text = ""
        if conversation:
            said = "\n".join(f"{item['author']}: {item['text']}" for item in conversation)
            text = prompts.EARLIER.format(messages=bound(said, _CONVERSATION_CHARS))
        if revision_of:
            comments = "\n".join(_describe_comment(comment) for comment in revision_of.get("comments", ()))
            text += prompts.REVISION.format(goal=goal, comments=comments)
            if rejected := revision_of.get("rejected"):
                text += prompts.REJECTED.format(hunks=bound(_describe_rejected(rejected), 4000))
        else:
            text += prompts.OPENING.format(goal=goal)
        return text + (prompts.FILES.format(listing=listing) if listing else "") + baseline

    def guidance_text(self, sources: str) -> str:
        """Return what a guided model is shown below the request: the files that matter, and how to begin."""
        return (prompts.SOURCES.format(sources=sources) if sources else "") + prompts.BEGIN

    def describe_baseline(self, facts: Mapping[str, Any], text: str, *, limit: int, timeout_s: float) -> str:
        """Return what the tests said before the work began."""
        command = facts.get("command", "")
        counts = f"{facts.get('passed')} passed, {facts.get('failed')} failed"
        if facts.get("ended_by") == "timeout":
            return prompts.BASELINE_SLOW.format(command=command, seconds=timeout_s)
        if facts.get("exit_code") == 0:
            return prompts.BASELINE_PASSES.format(counts=counts, command=command)
        return prompts.BASELINE_FAILS.format(counts=counts, command=command, output=bound(text, limit))

    def answers_for(
        self, comments: Iterable[Mapping[str, Any]], given: Any, *, otherwise: str
    ) -> list[dict[str, Any]]:
        """Return an answer to each comment; the whole answer stands in where the model left one out."""
        texts = {
            str(item.get("comment_id")): str(item.get("text"))
            for item in (given if isinstance(given, list) else ())
            if isinstance(item, dict) and item.get("text")
        }
        return [
            {
                "comment_id": comment.get("id"),
                "text": texts.get(str(comment.get("id")), bound(otherwise, 1000)),
            }
            for comment in comments
        ]

    def rebuild(self, history: Iterable[Mapping[str, Any]]) -> list[Turn]:
        """Return the turns that finished steps tell of; calls without a finished step have no result."""
        turns: list[Turn] = []
        for step in history:
            detail = step.get("detail") or {}
            if step["kind"] == "model_call" and step["status"] == "ok":
                if turns:
                    turns[-1].notes = list(detail.get("notes", ()))
                calls = [
                    ToolCall(call["id"], call["name"], read_arguments(call["raw"]), call["raw"])
                    for call in detail.get("calls", ())
                ]
                turns.append(Turn(detail.get("text", ""), calls))
            elif turns and (call_id := detail.get("call_id")) in {call.id for call in turns[-1].calls}:
                turns[-1].results[str(call_id)] = detail.get("result", "")
        return turns


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


def _describe_comment(comment: Mapping[str, Any]) -> str:
    line = f", line {comment['line']}" if comment.get("line") else ""
    code = f"\n    {comment['code']}" if comment.get("code") else ""
    return prompts.COMMENT.format(
        id=comment.get("id"),
        kind=comment.get("kind", "note"),
        path=comment.get("path") or "the whole change",
        line=line,
        code=code,
        text=comment.get("text", ""),
    )


def _describe_rejected(rejected: Any) -> str:
    items = rejected if isinstance(rejected, list) else [rejected]
    return "\n".join(
        item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in items
    )
