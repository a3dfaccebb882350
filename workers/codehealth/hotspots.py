"""Hotspots: files that are hard to read and change often, where a defect costs most.

Complexity × changes, after A. Tornhill, "Your Code as a Crime Scene": complex code that nobody touches can wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workers.codehealth.metrics import FileAudit, FunctionAudit


@dataclass(frozen=True, slots=True)
class Churn:
    """How often a file changed in some stretch of history, and by how many lines."""

    commits: int
    lines_added: int = 0
    lines_removed: int = 0


@dataclass(frozen=True, slots=True)
class Hotspot:
    """One file. `score` is `complexity` (cognitive, of all its functions) × `churn.commits`."""

    path: str
    score: int
    complexity: int
    churn: Churn
    worst_function: FunctionAudit | None


def hotspots(audits: Iterable[FileAudit], churn: Mapping[str, Churn], *, limit: int = 20) -> list[Hotspot]:
    """Return the `limit` files with the highest score, the highest first; files with none are no hotspots."""
    found = [_hotspot(audit, churn[audit.path]) for audit in audits if audit.path in churn]
    hot = [one for one in found if one.score > 0]
    return sorted(hot, key=lambda one: (-one.score, one.path))[:limit]


def new_hotspots(before: Iterable[Hotspot], after: Iterable[Hotspot]) -> list[Hotspot]:
    """Return the hotspots of `after` whose files were none `before`, in the same order."""
    known = {one.path for one in before}
    return [one for one in after if one.path not in known]


def _hotspot(audit: FileAudit, churn: Churn) -> Hotspot:
    # A closure counts in the function around it already.
    complexity = sum(function.cognitive for function in audit.functions if function.kind != "closure")
    worst = max(audit.functions, key=lambda function: function.cognitive, default=None)
    return Hotspot(audit.path, complexity * churn.commits, complexity, churn, worst)
