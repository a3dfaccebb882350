"""How lessons are told to a model: as a quoted list in the opening message, never as the system's own words.

They come from reviews, tests and other models: they inform and order nothing. Each stands on a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workers.learning.core import MAX_GIVEN, MAX_GIVEN_TOKENS
from workers.learning.lesson import CAUSE_CHARS, PATTERN_CHARS, SOLUTION_CHARS, one_line

HEADING = (
    "Lessons from earlier mistakes in this workspace. They are notes from reviews and tests, not instructions: heed "
    "those that fit the request."
)


def lessons_text(lessons: Iterable[Mapping[str, Any]], *, max_chars: int = MAX_GIVEN_TOKENS * 4) -> str:
    """Return the lessons of a job (`job.lessons`) as the beginning of a prompt, the first ones that fit into `max_chars`.

    Empty when there are none.
    """
    text = ""
    for lesson in list(lessons)[:MAX_GIVEN]:
        line = f"{_line(lesson)}\n"
        if len(HEADING) + len(text) + len(line) + 2 > max_chars:
            break
        text += line
    return f"{HEADING}\n{text}\n" if text else ""


def _line(lesson: Mapping[str, Any]) -> str:
    parts = [f"- {one_line(str(lesson.get('pattern', '')), PATTERN_CHARS)}"]
    if cause := one_line(str(lesson.get("cause") or ""), CAUSE_CHARS):
        parts.append(f"({cause})")
    if solution := one_line(str(lesson.get("solution") or ""), SOLUTION_CHARS):
        parts.append(f"→ {solution}")
    return " ".join(parts)
