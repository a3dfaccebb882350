"""What @coder decides without a model: what is asked, and what to tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.agents.coder import prompts
from workers.agents.toolloop import prompts as shared
from workers.agents.toolloop.core import ToolLoopCore
from workers.queue import Job
from workers.tools.text import bound

ANYWAY = "--anyway"
MIN_REPORT_WORDS = 8
"""Whoever writes as much without a question tells of a fault or a wish."""

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


class CoderCore(ToolLoopCore):
    """Plain data in, plain data out."""

    def is_change_request(self, goal: str) -> bool:
        """Return whether somebody wants code changed, as far as words tell; used for courtesies, never for
        rights."""
        if _ASKS.match(goal) and not _ORDERS.search(goal):
            return False
        is_report = len(goal.split()) >= MIN_REPORT_WORDS and "?" not in goal
        return is_report or bool(_CHANGES.search(goal))

    def goal_of(self, job: Job) -> str:
        return super().goal_of(job).replace(ANYWAY, "").strip()

    def is_check(self, command: str) -> bool:
        """Return whether a command tells something about the code's health; `ls` and `cat` do not."""
        return bool(_CHECKS.search(command))

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
        text = self.earlier_text(conversation)
        if revision_of:
            comments = "\n".join(_describe_comment(comment) for comment in revision_of.get("comments", ()))
            text += prompts.REVISION.format(goal=goal, comments=comments)
            if rejected := revision_of.get("rejected"):
                text += prompts.REJECTED.format(hunks=bound(_describe_rejected(rejected), 4000))
        else:
            text += shared.OPENING.format(goal=goal)
        return text + (shared.FILES.format(listing=listing) if listing else "") + baseline

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
