"""What happens to the health of the code, told to everybody in the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAudited:
    """A commit was measured; `worse` and `better` count functions whose complexity rose or fell."""

    type: ClassVar[str] = "CodeAudited"
    audit_id: int
    commit: str
    cause: str
    files: int
    worse: int
    better: int
    worst_complexity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChanged:
    """Source files of the shared checkout differ from what was measured, by whatever route; `paths` is empty when many do."""

    type: ClassVar[str] = "HealthChanged"
    paths: list[str]
    added: int
    changed: int
    removed: int
    maintainability: float | None
    worst_complexity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementChanged:
    """A long measurement was asked for, moved on, or ended."""

    type: ClassVar[str] = "MeasurementChanged"
    measurement_id: int
    kind: str
    state: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLimitsChanged:
    """Somebody has set other limits."""

    type: ClassVar[str] = "HealthLimitsChanged"
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRulesChanged:
    """Somebody added or took out a pattern of the workspace."""

    type: ClassVar[str] = "PatternRulesChanged"
    by: str
