"""Lessons: what a mistake teaches, whether it was seen before, and which lessons a goal calls for.

Plain data in, plain data out; vectors of meaning are handed in. The three thresholds were chosen on the odd pairs of the
labelled sets in tests/benchmarks/lessons and checked on the even ones; `python -m tests.benchmarks.lessons.labelled` prints both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.learning.lesson import (
    CAUSE_CHARS,
    EVIDENCE_CHARS,
    GOAL_CHARS,
    PATTERN_CHARS,
    SOLUTION_CHARS,
    Observation,
    Source,
    one_line,
)
from workers.memory.pruning import ARCHIVE_BELOW, Standing, weight_of
from workers.tools.text import bound, clean

SAME_MEANING: Final = 0.70
"""Cosine of two mistakes from which on one lesson serves both."""
FITS_GOAL: Final = 0.30
"""Cosine of a mistake and a goal from which on the lesson is given: at most 1 in 100 lessons fits a goal it has nothing
to do with."""
SAME_GOAL: Final = 0.55
"""Cosine of two goals from which on what went wrong under one is told under the other."""
MAX_GIVEN: Final = 5
MAX_GIVEN_TOKENS: Final = 600
_CHARS_PER_TOKEN: Final = 4
_MIN_WORDS: Final = 2
_MARKED = re.compile(r"^E\s{2,}(\S.*)$")
"""How pytest marks the lines of an error."""
_NAMED = re.compile(r"^((?:[\w.]*(?:Error|Exception|Failure)|panic(?:ked)?)\b.*)$")
_TEST = re.compile(r"^(?:_{3,} ([^\s_].*?) _{3,}|(?:FAIL|ERROR): (\S+).*)$", re.MULTILINE)
"""How pytest and unittest head what they say of a test."""
_SAYS_WRONG = re.compile(r"\b(error|fail(?:ed|ure)?|panicked|assert\w*)\b", re.IGNORECASE)

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A stored lesson as retrieval sees it; vectors have length 1."""

    lesson_id: int
    pattern: str
    cause: str
    solution: str
    standing: Standing
    vector: Vector
    goal_vector: Vector | None = None
    """Of the goal under which it was learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A lesson that a goal calls for."""

    lesson: Lesson
    similarity: float
    """The cosine by which it was found."""
    score: float
    """Similarity × weight; what is chosen is ordered by it."""


class LessonCore:
    """Reads lessons out of what happened, finds those that are known, chooses those that fit."""

    # --- reading -------------------------------------------------------------------------------------------------

    def observe(
        self,
        source: Source,
        *,
        pattern: str,
        cause: str = "",
        solution: str = "",
        evidence: str = "",
        goal: str = "",
    ) -> Observation | None:
        """Return the mistake within its bounds; None when the words are too few to teach anything."""
        pattern = one_line(pattern, PATTERN_CHARS)
        if len(re.findall(r"[^\W\d_]{2,}", pattern)) < _MIN_WORDS:
            return None
        return Observation(
            source=source,
            pattern=pattern,
            cause=one_line(cause, CAUSE_CHARS),
            solution=one_line(solution, SOLUTION_CHARS),
            evidence=bound(clean(evidence), EVIDENCE_CHARS),
            goal=one_line(goal, GOAL_CHARS),
        )

    def from_rejected_hunk(
        self, *, reason: str, path: str, added: Sequence[str], goal: str = ""
    ) -> Observation | None:
        """Return what a rejected piece of a change teaches: the reason is the mistake, its lines are the evidence."""
        return self.observe(
            "hunk", pattern=reason, cause=_place(path, added), evidence="\n".join(added), goal=goal
        )

    def from_comment(self, *, text: str, path: str, code: str, goal: str = "") -> Observation | None:
        """Return what a remark that demands a fix teaches."""
        lines = [code] if code else []
        return self.observe("comment", pattern=text, cause=_place(path, lines), evidence=code, goal=goal)

    def from_steering(self, *, text: str, goal: str) -> Observation | None:
        """Return what a person told a running agent to do otherwise."""
        return self.observe("steering", pattern=text, cause="A person corrected a run at work.", goal=goal)

    def from_failing_test(
        self, *, output: str, edits: Sequence[str], mended_by: Sequence[str] = (), goal: str = ""
    ) -> Observation | None:
        """Return what tests teach that failed after `edits`; `mended_by` are the edits after which they passed."""
        mistake = self.error_in(output)
        if mistake is None:
            return None
        # A bare assertion names no mistake; the test that holds it does.
        if mistake.lower().startswith("assert") and (test := _TEST.search(clean(output))):
            mistake = f"{test[1] or test[2]} fails: {mistake}"
        return self.observe(
            "test",
            pattern=mistake,
            cause=f"The tests failed after: {'; '.join(edits)}." if edits else "",
            solution=f"They passed after: {'; '.join(mended_by)}." if mended_by else "",
            evidence=output,
            goal=goal,
        )

    def error_in(self, output: str) -> str | None:
        """Return the line of a test's output that names the error, as exactly as its runner tells it; None when none does."""
        lines = [line for line in clean(output).splitlines() if line.strip()]
        for pattern in (_MARKED, _NAMED):
            found = next((found for line in lines if (found := pattern.match(line.lstrip()))), None)
            if found is not None:
                return one_line(found[1], PATTERN_CHARS)
        return next(
            (one_line(line, PATTERN_CHARS) for line in reversed(lines) if _SAYS_WRONG.search(line)), None
        )

    # --- knowing again -------------------------------------------------------------------------------------------

    def find_same(self, vector: Vector, known: Sequence[Vector]) -> int | None:
        """Return the index of the lesson that means the same, the nearest one, or None."""
        if not known:
            return None
        cosines = np.stack(known) @ vector
        nearest = int(cosines.argmax())
        return nearest if cosines[nearest] >= SAME_MEANING else None

    def completed(self, kept: str, heard: str) -> str:
        """Return a text of a lesson after the mistake was seen again: what was there stays, what was missing comes in."""
        return kept or heard

    # --- choosing ------------------------------------------------------------------------------------------------

    def choose(
        self,
        goal: Vector,
        lessons: Iterable[Lesson],
        *,
        cycle: int,
        limit: int = MAX_GIVEN,
        max_tokens: int = MAX_GIVEN_TOKENS,
    ) -> list[Chosen]:
        """Return the lessons that `goal` calls for, the best first: at most `limit`, together about `max_tokens` long.

        A goal that none has to do with gets none, and what has failed too often is given to nobody.
        """
        fitting = [chosen for lesson in lessons if (chosen := _rate(goal, lesson, cycle)) is not None]
        fitting.sort(key=lambda chosen: (-chosen.score, chosen.lesson.lesson_id))
        given: list[Chosen] = []
        room = max_tokens * _CHARS_PER_TOKEN
        for chosen in fitting:
            lesson = chosen.lesson
            size = len(lesson.pattern) + len(lesson.cause) + len(lesson.solution)
            if len(given) < limit and size <= room:
                given.append(chosen)
                room -= size
        return given


def _rate(goal: Vector, lesson: Lesson, cycle: int) -> Chosen | None:
    weight = weight_of(lesson.standing, cycle=cycle)
    if weight < ARCHIVE_BELOW:
        return None
    to_mistake = float(lesson.vector @ goal)
    to_goal = float(lesson.goal_vector @ goal) if lesson.goal_vector is not None else -1.0
    similarity = max(
        to_mistake if to_mistake >= FITS_GOAL else -1.0, to_goal if to_goal >= SAME_GOAL else -1.0
    )
    if similarity < 0:
        return None
    return Chosen(lesson=lesson, similarity=similarity, score=similarity * weight)


def _place(path: str, lines: Sequence[str]) -> str:
    where = f"In {path}" if path else "In the change as a whole"
    code = one_line(" ⏎ ".join(line.strip() for line in lines if line.strip()), CAUSE_CHARS // 2)
    return f"{where}: {code}" if code else f"{where}."
