"""Leads a small model through a request: one point at a time, the tests after each edit, the best state kept.

A model that answers in a JSON form stops after the first thing it mended and believes itself. So the request
is cut into points, and each is put before it once; what its edits do to the tests is told at once, and an edit
that made them worse is taken back when it cannot mend it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from workers.agents.coder import prompts

MAX_POINTS = 8
MAX_BAD_EDITS = 2
"""In a row, before the files go back to the best state there was."""
_MIN_WORDS = 3
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"'“(_])|(?<=;)\s+")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")


@dataclass(frozen=True, slots=True)
class Standing:
    """A checkpoint and what the tests said on it."""

    commit: str
    is_ok: bool
    failed: int | None

    def is_better_than(self, other: Standing) -> bool:
        """Return whether fewer tests fail here; a count that nobody knows is the worst."""
        return self._rank < other._rank

    @property
    def _rank(self) -> float:
        return 0 if self.is_ok else float("inf") if self.failed is None else self.failed


class Guide:
    """What is still to be looked at, and what came of the edits so far."""

    def __init__(self, goal: str) -> None:
        self.points = split_points(goal)
        self._at = 0
        self._bad_edits = 0
        self.best: Standing | None = None
        self.is_behind = False
        """Whether the files are worse now than they were at best."""

    def next_point(self) -> str | None:
        """Return what to say about the next point of the request, or None when each was put before the model."""
        if self._at >= len(self.points) or len(self.points) < 2:
            return None
        self._at += 1
        return prompts.POINT.format(number=self._at, count=len(self.points), point=self.points[self._at - 1])

    def judge(self, now: Standing) -> bool:
        """Take what the tests say after an edit; return whether the files should go back to the best state."""
        self.is_behind = self.best is not None and self.best.is_better_than(now)
        if not self.is_behind:
            self.best, self._bad_edits = now, 0
            return False
        self._bad_edits += 1
        if self._bad_edits < MAX_BAD_EDITS:
            return False
        self._bad_edits = 0
        return True


def split_points(goal: str) -> list[str]:
    """Return the points of a request, a sentence or list item each; what is too short joins the one before."""
    points: list[str] = []
    for block in _blocks(goal):
        for sentence in _SENTENCE_END.split(block):
            sentence = " ".join(sentence.split())
            if points and len(sentence.split()) < _MIN_WORDS:
                points[-1] += f" {sentence}"
            elif sentence:
                points.append(sentence)
    if len(points) > MAX_POINTS:
        points[MAX_POINTS - 1 :] = [" ".join(points[MAX_POINTS - 1 :])]
    return points


def _blocks(goal: str) -> list[str]:
    """Paragraphs and list items."""
    blocks = [""]
    for line in goal.splitlines():
        if _ITEM.match(line) or not line.strip():
            blocks.append("")
        blocks[-1] += " " + _ITEM.sub("", line)
    return [block for block in blocks if block.strip()]
