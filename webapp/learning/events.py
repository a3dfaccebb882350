"""What is learned, told to everybody in the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonChanged:
    """A lesson was learned, seen again, edited, pinned, archived or brought back."""

    type: ClassVar[str] = "LessonChanged"
    lesson_id: int
    pattern: str
    change: str
    """learned, seen, edited, pinned, unpinned, archived, restored"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonDeleted:
    """A lesson is gone."""

    type: ClassVar[str] = "LessonDeleted"
    lesson_id: int
