"""Watches one run's edits and tests: tests that fail after an edit, and did not before, are a mistake to learn from."""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.learning.core import LessonCore
from workers.learning.lesson import Observation, key_of

MAX_EDITS = 5


@dataclass(slots=True)
class MistakeWatch:
    """Told of each edit and each test run, in order; answers with what a test run teaches."""

    core: LessonCore = field(default_factory=LessonCore)
    _edits: list[str] = field(default_factory=list)
    """What was done since the tests were run last."""
    _failed_before: set[str] = field(default_factory=set)
    """Names of errors that were there before any edit, or are told already."""
    _open: tuple[str, list[str]] | None = None
    """The output and the edits of a mistake that is not mended yet."""
    _has_edited: bool = False

    def edited(self, title: str) -> None:
        """Take note of an edit, in the words of its step."""
        self._edits.append(title)
        self._has_edited = True

    def tested(self, *, passed: bool, output: str) -> Observation | None:
        """Return the mistake that this test run shows, or, when it passes at last, the one it was with what mended it."""
        edits, self._edits = self._edits[-MAX_EDITS:], []
        if passed:
            return self._mended(edits)
        observation = self.core.from_failing_test(output=output, edits=edits)
        if observation is None:
            return None
        key = key_of(observation.pattern)
        if key in self._failed_before or not self._has_edited:
            self._failed_before.add(key)
            return None
        self._failed_before.add(key)
        self._open = output, edits
        return observation

    def _mended(self, edits: list[str]) -> Observation | None:
        if self._open is None or not edits:
            return None
        (output, caused_by), self._open = self._open, None
        return self.core.from_failing_test(output=output, edits=caused_by, mended_by=edits)
