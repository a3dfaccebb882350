"""What a change did: to each function, and from one tree to another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from workers.codehealth.metrics import FileAudit, FunctionAudit

Metric = Literal[
    "cyclomatic",
    "cyclomatic_mccabe",
    "complexity_radon",
    "cognitive",
    "nesting",
    "parameters",
    "fan_out",
    "lines",
]

# What an empty function has: a new one is measured against it. A function has at least one line and one path.
_EMPTY: dict[Metric, int] = {"cyclomatic": 1, "cyclomatic_mccabe": 1, "complexity_radon": 1, "lines": 1}


@dataclass(frozen=True, slots=True)
class FunctionDelta:
    """What a change did to one function; `before` and `after` are a metric of it, None where it is absent.

    `line` is that after the change, or before it when the function is gone. `empty` is the metric of an empty function.
    """

    qualname: str
    line: int
    before: int | None
    after: int | None
    empty: int = 1

    @property
    def growth(self) -> int:
        """How much more the function has now; a new one counts from an empty one."""
        if self.after is None:
            return 0
        return self.after - (self.empty if self.before is None else self.before)

    @property
    def is_worse(self) -> bool:
        return self.growth > 0

    @property
    def is_better(self) -> bool:
        return self.growth < 0


@dataclass(frozen=True, slots=True)
class FileDelta:
    """What a change did to one file. `maintainability` is that before and after, None where there is none."""

    path: str
    functions: tuple[FunctionDelta, ...]
    maintainability: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class TreeDelta:
    """What a change did to a tree: the files in which a function or the maintainability index changed."""

    metric: Metric
    files: tuple[FileDelta, ...]

    @property
    def worse(self) -> list[tuple[str, FunctionDelta]]:
        """Functions that got worse or came with some complexity, with their paths, the worst first."""
        return sorted(self._where("is_worse"), key=lambda found: -found[1].growth)

    @property
    def better(self) -> list[tuple[str, FunctionDelta]]:
        """Functions that got better, with their paths, the best first."""
        return sorted(self._where("is_better"), key=lambda found: found[1].growth)

    def _where(self, claim: Literal["is_worse", "is_better"]) -> list[tuple[str, FunctionDelta]]:
        return [
            (file.path, delta) for file in self.files for delta in file.functions if getattr(delta, claim)
        ]


def compare_files(
    before: FileAudit | None, after: FileAudit | None, *, metric: Metric = "cyclomatic"
) -> list[FunctionDelta]:
    """Return the functions that came, went or changed their `metric`, the ones that got worst first.

    None stands for a file that does not exist. Functions are matched by qualified name, and equal names
    (overloads, property setters) by their order. Where one side does not parse, only functions that both
    sides show are compared: an absent one may just be hidden by the error.
    """
    old, new = functions_by_name(before), functions_by_name(after)
    if any(audit is not None and audit.errors for audit in (before, after)):
        shared = old.keys() & new.keys()
        old, new = {key: old[key] for key in shared}, {key: new[key] for key in shared}
    empty = _EMPTY.get(metric, 0)
    found = []
    for key in old.keys() | new.keys():
        was, now = old.get(key), new.get(key)
        figures = (_figure(was, metric), _figure(now, metric))
        shown = now or was
        if shown is not None and figures[0] != figures[1]:
            found.append(FunctionDelta(key[0], shown.line, *figures, empty))
    return sorted(found, key=lambda delta: (-delta.growth, delta.line, delta.qualname))


def compare_trees(
    before: Iterable[FileAudit],
    after: Iterable[FileAudit],
    *,
    metric: Metric = "cyclomatic",
    renames: Mapping[str, str] | None = None,
) -> TreeDelta:
    """Return what changed between two trees, such as those of two commits, by path.

    Args:
        before: Audits of one tree; files that are equal in both may be left out of both.
        after: Audits of the other.
        metric: Which figure of a function counts.
        renames: New paths by old ones: such a pair is compared as one file.
    """
    moved = renames or {}
    old = {moved.get(audit.path, audit.path): audit for audit in before}
    new = {audit.path: audit for audit in after}
    files = []
    for path in sorted(old.keys() | new.keys()):
        was, now = old.get(path), new.get(path)
        functions = tuple(compare_files(was, now, metric=metric))
        index = (_index(was), _index(now))
        if functions or index[0] != index[1]:
            files.append(FileDelta(path, functions, index))
    return TreeDelta(metric, tuple(files))


def functions_by_name(audit: FileAudit | None) -> dict[tuple[str, int], FunctionAudit]:
    """Return the functions of a file by qualified name and number among equal names, in source order."""
    seen: defaultdict[str, int] = defaultdict(int)
    functions: dict[tuple[str, int], FunctionAudit] = {}
    for function in audit.functions if audit else ():
        functions[function.qualname, seen[function.qualname]] = function
        seen[function.qualname] += 1
    return functions


def _figure(function: FunctionAudit | None, metric: Metric) -> int | None:
    # What only Python has is None elsewhere.
    figure: int | None = None if function is None else getattr(function, metric)
    return figure


def _index(audit: FileAudit | None) -> float | None:
    return audit.maintainability_index if audit else None
