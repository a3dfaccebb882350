"""What @auditor decides without a model: what counts as a verdict, and how it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from workers.agents.auditor import prompts
from workers.agents.toolloop.core import ToolLoopCore
from workers.tools.text import bound

WORDS_CHARS: Final = 4_000
REACHED, NOT_REACHED = "**Reached.**", "**Not reached.**"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the goal is reached, what was seen, and what to do next."""

    is_reached: bool
    reason: str
    next: str = ""


class AuditorCore(ToolLoopCore):
    """Plain data in, plain data out."""

    def opening_text(self, goal: str, *, listing: str) -> str:
        """Return the first message to the model."""
        return prompts.OPENING.format(goal=goal, listing=listing)

    def read_verdict(self, arguments: Mapping[str, Any]) -> Verdict | None:
        """Return the verdict in the arguments of `finish`; None when one cannot be acted on."""
        is_reached = arguments.get("is_reached")
        reason, following = (
            bound(str(arguments.get(name) or "").strip(), WORDS_CHARS) for name in ("reason", "next")
        )
        if not isinstance(is_reached, bool) or not reason or (not is_reached and not following):
            return None
        return Verdict(is_reached, reason, "" if is_reached else following)

    def answer_text(self, verdict: Verdict) -> str:
        """Return the verdict as the run's answer; its first words are always one of two."""
        if verdict.is_reached:
            return f"{REACHED} {verdict.reason}"
        return f"{NOT_REACHED} {verdict.reason}\n\nNext: {verdict.next}"


def is_reached(answer: str) -> bool:
    """Return whether an auditor's answer says that the goal is reached."""
    return answer.startswith(REACHED)
