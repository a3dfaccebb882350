"""Whether a change keeps the limits that its workspace sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from webapp.codehealth.errors import LimitsBroken
from webapp.codehealth.measuring import REGULAR
from webapp.codehealth.models import Limits
from webapp.workspaces.models import Workspace
from workers.changes.objects import BlobReader
from workers.changes.paths import from_bytes, to_portable
from workers.changes.repository import Repository
from workers.changes.revisions import RawChange
from workers.changes.staging import tree_changes
from workers.codehealth.metrics import FileAudit, audit_source
from workers.codehealth.sources import MAX_BYTES, ending_of
from workers.codehealth.thresholds import Breach, Thresholds, broken_by

MAX_TOLD = 20


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A source file that a commit changes, measured before and after; None where there is no such file, or it is too large."""

    path: str
    before: FileAudit | None
    after: FileAudit | None


def is_source_change(change: RawChange) -> bool:
    """Return whether a change of a tree is one of a regular source file."""
    is_regular = change.new_mode in REGULAR or change.old_mode in REGULAR
    return is_regular and bool(ending_of(from_bytes(change.path)))


def changed_files(repository: Repository, changes: Iterable[RawChange]) -> Iterator[ChangedFile]:
    """Yield the changed source files with their figures."""
    with BlobReader(repository.bare) as blobs:
        for change in changes:
            path = to_portable(from_bytes(change.path))
            before = _audit(blobs, path, change.old_mode, change.old_oid)
            after = _audit(blobs, path, change.new_mode, change.new_oid)
            yield ChangedFile(path, before, after)


def _audit(blobs: BlobReader, path: str, mode: str, oid: str) -> FileAudit | None:
    if mode not in REGULAR:
        return None
    data = blobs.read(oid)
    return audit_source(data, path=path) if len(data) <= MAX_BYTES else None


def limits_of(workspace: Workspace) -> Limits:
    """Return the workspace's limits; those of one that has set none switch everything off."""
    return Limits.objects.filter(workspace=workspace).first() or Limits(workspace=workspace)


def thresholds_of(limits: Limits) -> Thresholds:
    """Return the limits as the engine takes them."""
    return Thresholds(
        max_cyclomatic=limits.max_cyclomatic,
        min_maintainability=limits.min_maintainability,
        max_cognitive=limits.max_cognitive,
        no_worse=limits.no_worse,
    )


def breaches_between(repository: Repository, before: str, after: str, thresholds: Thresholds) -> list[Breach]:
    """Return which limits the change from one tree or commit to another breaks."""
    changes = [one for one in tree_changes(repository.bare, before, after) if is_source_change(one)]
    return [
        breach
        for file in changed_files(repository, changes)
        for breach in broken_by(file.before, file.after, thresholds)
    ]


def require_limits(workspace: Workspace, repository: Repository, before: str, after: str) -> None:
    """Let a change pass that keeps the limits, or any where the workspace does not require them.

    Raises:
        LimitsBroken: it breaks one; the message names file, function and figure.
    """
    limits = limits_of(workspace)
    if not limits.is_required:
        return
    found = breaches_between(repository, before, after, thresholds_of(limits))
    if found:
        raise LimitsBroken(_words(found), breaches=[breach_fields(one) for one in found[:MAX_TOLD]])


def _words(found: list[Breach]) -> str:
    more = len(found) - 1
    rest = f"; and {more} more" if more else ""
    return f"This workspace requires limits on code health, and this breaks one: {found[0].sentence}{rest}."


def breach_fields(breach: Breach) -> dict[str, Any]:
    """Return a breach as plain values."""
    return {
        "path": breach.path,
        "function": breach.function.qualname if breach.function is not None else None,
        "line": breach.function.line if breach.function is not None else None,
        "figure": breach.name,
        "value": round(breach.figure, 2),
        "before": None if breach.before is None else round(breach.before, 2),
        "limit": breach.limit,
        "sentence": breach.sentence,
    }
