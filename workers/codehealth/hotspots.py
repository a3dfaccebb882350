"""Hotspots: files that are hard to read and change often, where a defect costs most.

Complexity × changes, after A. Tornhill, "Your Code as a Crime Scene": complex code that nobody touches can wait. Complexity is
cognitive and not cyclomatic, which counts one for each function, so that a long file of simple ones would seem hot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from workers.codehealth.metrics import FileAudit, FunctionAudit


class Scored(Protocol):
    """A file with its score."""

    @property
    def path(self) -> str: ...

    @property
    def score(self) -> int: ...


S = TypeVar("S", bound=Scored)


@dataclass(frozen=True, slots=True)
class Churn:
    """How often a file changed in some stretch of history, and by how many lines."""

    commits: int
    lines_added: int = 0
    lines_removed: int = 0


@dataclass(frozen=True, slots=True)
class Hotspot:
    """One file. `score` is `complexity` × `churn.commits`."""

    path: str
    score: int
    complexity: int
    churn: Churn
    worst_function: FunctionAudit | None


def hotspots(audits: Iterable[FileAudit], churn: Mapping[str, Churn], *, limit: int = 20) -> list[Hotspot]:
    """Return the `limit` files with the highest score, the highest first; files with none are no hotspots."""
    return hottest(
        (_hotspot(audit, churn[audit.path]) for audit in audits if audit.path in churn), limit=limit
    )


def hottest(found: Iterable[S], *, limit: int) -> list[S]:
    """Return the `limit` files with the highest score, the highest first; files with none are no hotspots."""
    hot = [one for one in found if one.score > 0]
    return sorted(hot, key=lambda one: (-one.score, one.path))[:limit]


def complexity_of(functions: Iterable[tuple[str, int]]) -> int:
    """Return the complexity of a whole file from the kind and the cognitive complexity of each of its functions."""
    # A closure counts in the function around it already.
    return sum(cognitive for kind, cognitive in functions if kind != "closure")


def score_of(complexity: int, *, commits: int) -> int:
    """Return how hot a file of this complexity is that so many commits have changed."""
    return complexity * commits


def new_hotspots(before: Iterable[Hotspot], after: Iterable[Hotspot]) -> list[Hotspot]:
    """Return the hotspots of `after` whose files were none `before`, in the same order."""
    known = {one.path for one in before}
    return [one for one in after if one.path not in known]


def _hotspot(audit: FileAudit, churn: Churn) -> Hotspot:
    complexity = complexity_of((function.kind, function.cognitive) for function in audit.functions)
    worst = max(audit.functions, key=lambda function: function.cognitive, default=None)
    return Hotspot(audit.path, score_of(complexity, commits=churn.commits), complexity, churn, worst)
