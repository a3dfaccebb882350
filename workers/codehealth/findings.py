"""What a reviewer is told about a change: sentences, each with the level of risk it stands for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from workers.codehealth import thresholds
from workers.codehealth.metrics import FileAudit
from workers.codehealth.patterns import Finding
from workers.codehealth.sensitive import sensitive_kinds

Level = Literal["low", "medium", "high"]


class Findings:
    """Collects reasons, each with the level it stands for."""

    _RANKS: tuple[Level, ...] = ("low", "medium", "high")

    def __init__(self) -> None:
        self._found: list[tuple[int, str]] = []

    def _add(self, level: Level, reason: str) -> None:
        self._found.append((self._RANKS.index(level), reason))

    @property
    def level(self) -> Level:
        return self._RANKS[max((rank for rank, _ in self._found), default=0)]

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(reason for _, reason in sorted(self._found, key=lambda found: -found[0]))

    def add_path(self, path: str) -> None:
        for kind in sensitive_kinds(path):
            self._add("high" if kind.is_critical else "medium", f"touches {kind.reason}")

    def add_checks(self, tests_deleted: int, asserts_deleted: int) -> None:
        if tests_deleted:
            self._add("high", f"deletes {_count(tests_deleted, 'test')}")
        if asserts_deleted:
            self._add(
                "high" if tests_deleted else "medium", f"deletes {_count(asserts_deleted, 'assertion')}"
            )

    def add_parsing(self, old: FileAudit | None, new: FileAudit | None) -> None:
        if new is not None and new.errors and not (old is not None and old.errors):
            error = new.errors[0]
            self._add("high", f"no longer parses: line {error.line}: {error.message}")

    def add_patterns(self, found: Iterable[Finding]) -> None:
        levels: dict[str, Level] = {
            "secret": "high",
            "conflict": "high",
            "debug": "medium",
            "custom": "medium",
        }
        for rule, group in _by_rule(found).items():
            first = group[0]
            what = {"secret": "adds a secret", "conflict": "leaves a conflict"}.get(first.kind, "adds")
            places = (
                f"line {first.line}" if len(group) == 1 else f"line {first.line} and {len(group) - 1} more"
            )
            self._add(levels[first.kind], f"{what}: {first.message or rule} ({places})")

    def add_names(self, names: dict[str, tuple[str, ...]]) -> None:
        grave: tuple[tuple[str, Level, str], ...] = (
            ("removed", "high", "removes the public {}"),
            ("changed", "medium", "changes how {} is used"),
            ("added", "low", "adds the public {}"),
        )
        for group, level, sentence in grave:
            if names[group]:
                self._add(level, sentence.format(_listing(names[group])))

    def add_complexity(self, before: int | None, after: int | None) -> None:
        if after is None:
            return
        growth = after - (before or 1)
        if growth <= 0:
            return
        sentence = (
            f"complexity {before} → {after}" if before is not None else f"new code of complexity {after}"
        )
        if after > thresholds.CYCLOMATIC_HIGH:
            self._add("high", f"{sentence}, over {thresholds.CYCLOMATIC_HIGH}")
        elif after > thresholds.CYCLOMATIC_MEDIUM or growth >= thresholds.GROWTH_MEDIUM:
            self._add("medium", sentence)
        else:
            self._add("low", sentence)

    def add_maintainability(self, delta: float | None, new: FileAudit | None) -> None:
        if delta is None or new is None or new.maintainability_index is None or delta >= 0:
            return
        index = new.maintainability_index
        if index < thresholds.MAINTAINABILITY_LOW and delta <= -1:
            self._add("medium", f"maintainability falls by {-delta:.1f} to {index:.0f}")
        elif delta <= -thresholds.MAINTAINABILITY_FALL_MEDIUM:
            self._add("medium", f"maintainability falls by {-delta:.1f}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listing(names: tuple[str, ...], shown: int = 3) -> str:
    listing = ", ".join(names[:shown])
    return listing if len(names) <= shown else f"{listing} and {len(names) - shown} more"


def _by_rule(found: Iterable[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for finding in found:
        groups.setdefault(finding.rule, []).append(finding)
    return groups
