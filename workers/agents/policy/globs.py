"""Whether a path fits a pattern of the policy, in time that grows with the path and not with the number of ways to read it.

People write the patterns and agents choose the paths, so neither may hold the worker up: a regular expression of several
wildcards tries every way to share a path among them, for hours on a path that is made for it. It is used while that is quick.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

MAX_TRIES: Final = 100_000
_PART: Final = re.compile(r"(?:\*\*/)+|\*\*|\*|\?|.", re.DOTALL)


@dataclass(slots=True)
class _States:
    """Which parts of a pattern stand where, one bit for each; the bit after the last one stands for the end."""

    literal: dict[str, int]
    any_char: int = 0
    star: int = 0
    every: int = 0
    folders: int = 0
    """Where any folders begin; the bit after it is inside one."""
    end: int = 0

    def closed(self, at: int) -> int:
        """Return where the pattern stands when wildcards may stand for nothing."""
        while True:
            more = at | (at & (self.star | self.every)) << 1 | (at & self.folders) << 2
            if more == at:
                return at
            at = more

    def step(self, at: int, char: str) -> int:
        """Return where the pattern stands after one more character."""
        inside = self.folders << 1
        moved = (at & self.literal.get(char, 0)) << 1 | at & self.every
        if char == "/":
            return self.closed(moved | at & self.folders | (at & inside) >> 1)
        return self.closed(
            moved | (at & self.any_char) << 1 | at & self.star | (at & self.folders) << 1 | at & inside
        )


def fits_path(pattern: str, path: str) -> bool:
    """Return whether the whole path fits: `**/` is any folders or none, `**` anything, `*` and `?` stay in one name."""
    expression, wildcards = _expression(pattern)
    if len(path) ** wildcards <= MAX_TRIES:
        return expression.fullmatch(path) is not None
    states = _states(pattern)
    at = states.closed(1)
    for char in path:
        at = states.step(at, char)
        if not at:
            return False
    return bool(at & states.end)


@lru_cache(maxsize=2048)
def _expression(pattern: str) -> tuple[re.Pattern[str], int]:
    expressions, wildcards = [], 0
    for part in _PART.findall(pattern):
        wildcards += part[0] == "*"
        if part.startswith("**"):
            expressions.append("(?:[^/]*/)*" if part.endswith("/") else ".*")
        else:
            expressions.append({"*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part)))
    return re.compile("".join(expressions), re.DOTALL), wildcards


@lru_cache(maxsize=2048)
def _states(pattern: str) -> _States:
    found, bit = _States({}), 1
    for part in _PART.findall(pattern):
        if part.startswith("**/"):
            found.folders |= bit
            bit <<= 1
        elif part.startswith("**"):
            found.every |= bit
        elif part == "*":
            found.star |= bit
        elif part == "?":
            found.any_char |= bit
        else:
            found.literal[part] = found.literal.get(part, 0) | bit
        bit <<= 1
    found.end = bit
    return found
