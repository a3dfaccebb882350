"""Ends an answer at the first stop sequence, wherever the pieces of a stream are cut.

It is done on our side for every provider: one API has no such field, and not every server heeds it.
"""

from __future__ import annotations

from collections.abc import Sequence


class StopReader:
    """Lets text through up to the first of `sequences` that is complete; holds back what may be the beginning of one."""

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = tuple(filter(None, sequences))
        self._held = ""
        self.said_chars = 0
        """How much it has let through."""
        self.has_stopped = False

    def feed(self, text: str) -> str:
        """Return what may be said now; nothing after `has_stopped`."""
        if self.has_stopped:
            return ""
        text = self._held + text
        found = [(at + len(one), at) for one in self._sequences if (at := text.find(one)) >= 0]
        self.has_stopped = bool(found)
        end = min(found)[1] if found else len(text) - self._held_back(text)
        self._held = "" if found else text[end:]
        self.said_chars += end
        return text[:end]

    def rest(self) -> str:
        """Return what was held back and was no stop sequence after all, since the answer has ended."""
        text, self._held = self._held, ""
        self.said_chars += len(text)
        return text

    def _held_back(self, text: str) -> int:
        """Return how many characters at the end may begin a stop sequence."""
        longest = max(map(len, self._sequences), default=1) - 1
        ends = range(min(longest, len(text)), 0, -1)
        return next((n for n in ends if any(one.startswith(text[-n:]) for one in self._sequences)), 0)
