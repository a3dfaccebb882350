"""What a change does to each function, figure by figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from webapp.codehealth.checking import (
    ChangedFile,
    breach_fields,
    changed_files,
    is_source_change,
    limits_of,
    thresholds_of,
)
from webapp.codehealth.models import Limits
from webapp.workspaces.models import Workspace
from workers.changes.repository import Repository
from workers.changes.staging import tree_changes
from workers.codehealth.deltas import functions_by_name
from workers.codehealth.metrics import FunctionAudit
from workers.codehealth.thresholds import broken_by, figure_of

COMPARED = ("cyclomatic", "cognitive")
MAX_FILES = 300
MAX_FUNCTIONS = 200


@dataclass(frozen=True, slots=True)
class FunctionChange:
    """A function before and after, by the figures of `COMPARED`; None where it is absent or the core gives no such figure.

    `line` is that after the change, or before it when the function is gone.
    """

    path: str
    qualname: str
    line: int
    is_new: bool
    is_gone: bool
    before: tuple[int | None, ...]
    after: tuple[int | None, ...]

    @property
    def growth(self) -> int:
        """How much more complex it is now; a new one counts from a straight line, a gone one counts nothing."""
        if self.is_gone or self.after[0] is None:
            return 0
        return self.after[0] - (1 if self.before[0] is None else self.before[0])

    @property
    def figures(self) -> list[tuple[str, int | None, int | None]]:
        """Name, before and after of each figure that there is."""
        rows = zip(COMPARED, self.before, self.after, strict=True)
        return [row for row in rows if row[1] is not None or row[2] is not None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The functions that differ, the worst first, and the sentences of the limits that the change would break."""

    functions: list[FunctionChange]
    left_out: int
    broken: list[str]
    limits: Limits
    files: int


def compare_trees(workspace: Workspace, repository: Repository, before: str, after: str) -> Comparison:
    """Return what the change from one tree or commit to another does to functions."""
    limits = limits_of(workspace)
    thresholds = thresholds_of(limits)
    changes = [one for one in tree_changes(repository.bare, before, after) if is_source_change(one)]
    functions: list[FunctionChange] = []
    broken: list[str] = []
    for file in changed_files(repository, changes[:MAX_FILES]):
        functions += _function_changes(file)
        broken += [
            str(breach_fields(one)["sentence"]) for one in broken_by(file.before, file.after, thresholds)
        ]
    functions.sort(key=lambda one: (-one.growth, one.path, one.line))
    return Comparison(
        functions=functions[:MAX_FUNCTIONS],
        left_out=max(0, len(functions) - MAX_FUNCTIONS),
        broken=broken,
        limits=limits,
        files=len(changes),
    )


def _function_changes(file: ChangedFile) -> Iterator[FunctionChange]:
    old, new = functions_by_name(file.before), functions_by_name(file.after)
    if any(audit is not None and audit.errors for audit in (file.before, file.after)):
        # An error hides functions: only those that both sides show can be compared.
        shared = old.keys() & new.keys()
        old, new = {key: old[key] for key in shared}, {key: new[key] for key in shared}
    for key in {**new, **old}:
        was, now = old.get(key), new.get(key)
        if _figures(was) == _figures(now):
            continue
        shown = now or was
        if shown is not None:
            yield FunctionChange(
                path=file.path,
                qualname=key[0],
                line=shown.line,
                is_new=was is None,
                is_gone=now is None,
                before=_figures(was),
                after=_figures(now),
            )


def _figures(function: FunctionAudit | None) -> tuple[int | None, ...]:
    return tuple(figure_of(function, name) for name in COMPARED)
