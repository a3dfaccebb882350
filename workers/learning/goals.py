"""What kind of work a goal asks for, as far as its words tell: agents are known by how they do at each kind."""

from __future__ import annotations

import re
from typing import Final

KINDS: Final = ("question", "test", "docs", "fix", "change")
_ASKS = re.compile(
    r"^\s*(what|why|how|where|who|when|which|does|do|is|are|explain|describe|tell)\b", re.IGNORECASE
)
_WORDS: Final = (
    ("test", re.compile(r"\b(write|add|extend|cover)\b.*\b(tests?|coverage)\b", re.IGNORECASE)),
    ("docs", re.compile(r"\b(document|docs?|docstrings?|readme|changelog|comments?)\b", re.IGNORECASE)),
    (
        "fix",
        re.compile(
            r"\b(fix|repair|mend|bugs?|broken|fails?|failing|crash\w*|wrong|errors?|regression)\b", re.IGNORECASE
        ),
    ),
)  # fmt: skip


def kind_of(goal: str) -> str:
    """Return one of `KINDS`."""
    if _ASKS.match(goal) or goal.rstrip().endswith("?"):
        return "question"
    return next((kind for kind, words in _WORDS if words.search(goal)), "change")
