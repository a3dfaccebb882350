"""Where a figure begins to matter. Defaults; a workspace may choose its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workers.codehealth.deltas import functions_by_name
from workers.codehealth.metrics import FileAudit, FunctionAudit

# ruff's and mccabe's own default; NIST 500-235 names 10 as the limit McCabe proposed and allows up to 15.
CYCLOMATIC_MEDIUM = 10
CYCLOMATIC_HIGH = 15
GROWTH_MEDIUM = 5
# Radon ranks above 19 as "A"; 65 and 85 in the literature belong to the index before it was scaled to 0–100.
MAINTAINABILITY_LOW = 20.0
MAINTAINABILITY_FALL_MEDIUM = 10.0

FIGURE_WORDS = {
    "cyclomatic": "complexity",
    "cognitive": "cognitive complexity",
    "maintainability": "maintainability",
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a workspace tolerates. None switches a limit off."""

    max_cyclomatic: int | None = CYCLOMATIC_HIGH
    min_maintainability: float | None = MAINTAINABILITY_LOW
    max_cognitive: int | None = None
    no_worse: bool = False
    """For `broken_by`: no function that is there may get more complex, no file below the limit less maintainable."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that a file does not keep; `function` is None when it is about the file.

    `name` says of which figure, and `before` what it was before the change, where there is one. `limit` is None when
    the breach is that it got worse, or that the file no longer parses.
    """

    path: str
    function: FunctionAudit | None
    figure: float
    limit: float | None
    name: str = "cyclomatic"
    before: float | None = None

    @property
    def sentence(self) -> str:
        """The breach in words."""
        if self.name == "errors":
            return f"{self.path} no longer parses, line {self.figure:.0f}"
        words = FIGURE_WORDS[self.name]
        was = "" if self.before is None else f" (it was {self.before:.0f})"
        if self.function is None:
            return f"{self.path}: {words} {self.figure:.0f} is below {self.limit or 0:.0f}{was}"
        place = f"{self.path}:{self.function.line}: {self.function.qualname}"
        if self.limit is None:
            return f"{place} has {words} {self.figure:.0f}, worse than before{was}"
        return f"{place} has {words} {self.figure:.0f}, over {self.limit:.0f}{was}"


def figure_of(function: FunctionAudit | None, name: str) -> int | None:
    """Return a figure of a function by its name; None where there is no function, or the core does not give the figure."""
    return getattr(function, name, None)


def breaches(audit: FileAudit, limits: Thresholds) -> list[Breach]:
    """Return which limits a file does not keep, in source order, the file's own last."""
    found = [
        Breach(audit.path, function, figure, limit, name)
        for function in audit.functions
        for name, limit in _limits(limits)
        if (figure := figure_of(function, name)) is not None and figure > limit
    ]
    index = audit.maintainability_index
    if limits.min_maintainability is not None and index is not None and index < limits.min_maintainability:
        found.append(Breach(audit.path, None, index, limits.min_maintainability, "maintainability"))
    return found


def broken_by(before: FileAudit | None, after: FileAudit | None, limits: Thresholds) -> list[Breach]:
    """Return which limits a change of one file breaks, in source order, the file's own last.

    A function over a limit that was no better before is not the change's fault: whoever takes it from 30 to 25 may do
    so. None stands for a file that does not exist. Functions are matched as `CodeHealthAuditor.compare` does.
    """
    if after is None:
        return []
    if after.errors and not (before is not None and before.errors):
        return [Breach(after.path, None, after.errors[0].line, None, "errors")]
    old = functions_by_name(before)
    is_known = (
        before is None or not before.errors
    )  # an error hides functions: absent ones may have been there
    found: list[Breach] = []
    for key, function in functions_by_name(after).items():
        if is_known or key in old:
            found += _broken_by_function(after.path, old.get(key), function, limits)
    found += _broken_by_file(before, after, limits)
    return found


def _limits(limits: Thresholds) -> Iterator[tuple[str, int]]:
    if limits.max_cyclomatic is not None:
        yield "cyclomatic", limits.max_cyclomatic
    if limits.max_cognitive is not None:
        yield "cognitive", limits.max_cognitive


def _broken_by_function(
    path: str, before: FunctionAudit | None, after: FunctionAudit, limits: Thresholds
) -> Iterator[Breach]:
    allowed = dict(_limits(limits))
    for name in ("cyclomatic", "cognitive"):
        was, now = figure_of(before, name), figure_of(after, name)
        if now is None or (was is not None and now <= was):
            continue
        limit = allowed.get(name)
        if limit is not None and now > limit:
            yield Breach(path, after, now, limit, name, was)
        elif limits.no_worse and was is not None:
            yield Breach(path, after, now, None, name, was)


def _broken_by_file(before: FileAudit | None, after: FileAudit, limits: Thresholds) -> Iterator[Breach]:
    now, least = after.maintainability_index, limits.min_maintainability
    was = before.maintainability_index if before is not None else None
    if now is None or least is None or now >= least:
        return
    # The index moves with every line. A file that is below the limit already may do that, unless nothing may get worse.
    if was is None or was >= least or (limits.no_worse and now < was):
        yield Breach(after.path, None, now, least, "maintainability", was)
