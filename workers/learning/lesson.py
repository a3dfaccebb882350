"""What a lesson is made of: plain data, its bounds, and the one place where its text is normalised and named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from blake3 import blake3

from workers.tools.text import clean

Source = Literal["reflection", "test", "hunk", "comment", "steering", "person"]
SOURCES: Final[tuple[str, ...]] = get_args(Source)

PATTERN_CHARS: Final = 300
CAUSE_CHARS: Final = 600
SOLUTION_CHARS: Final = 600
EVIDENCE_CHARS: Final = 2_000
GOAL_CHARS: Final = 1_000

_ADDRESS = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{12,}\b")
_NUMBER = re.compile(r"\d+")
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A mistake that was seen once, as `LessonCore` reads it from what happened."""

    source: Source
    pattern: str
    """The mistake, in one sentence: what its lesson is found and named by."""
    cause: str = ""
    solution: str = ""
    evidence: str = ""
    """What was seen: the end of a test's output, the lines that were rejected."""
    goal: str = ""
    """What the run was to do; empty when it came from no run."""


def one_line(text: str, limit: int) -> str:
    """Return `text` without control characters on one line, cut to `limit` characters.

    On one line it cannot pass for more than the item of a list that it stands in.
    """
    flat = " ".join(clean(text[: limit * 8]).split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def normalise(text: str) -> str:
    """Return what two tellings of one mistake share: no case, numbers, addresses, punctuation."""
    plain = _ADDRESS.sub(" ", clean(text).casefold())
    return " ".join(_NO_WORD.sub(" ", _NUMBER.sub(" ", plain)).split())


def key_of(pattern: str) -> str:
    """Return the name of a mistake: equal for tellings that differ in nothing but numbers, case and punctuation."""
    return blake3(normalise(pattern).encode()).hexdigest(length=16)
