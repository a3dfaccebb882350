"""Reads about the health of code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webapp.codehealth.figures import Entry
from webapp.codehealth.history import churn, main_line
from webapp.codehealth.models import Audit, FileFigures, Measurement, TrendPoint, WorkspaceHealth
from webapp.errors import NotFound
from webapp.packing import unpack
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import repository_of
from workers.codehealth.hotspots import hottest, score_of


def audit_of(workspace: Workspace, commit: str) -> Audit | None:
    """Return the audit of this commit, None when it was not measured (yet)."""
    if not commit:
        return None
    return Audit.objects.filter(workspace=workspace, commit=commit).order_by("-id").first()


def latest_audits(workspace: Workspace, *, limit: int = 50, before: int | None = None) -> Sequence[Audit]:
    """Return audits, newest first, from below the id `before`."""
    rows = Audit.objects.filter(workspace=workspace)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-id")[:limit])


def health_of(workspace: Workspace) -> WorkspaceHealth | None:
    """Return the health of the workspace, None when it was never measured."""
    return WorkspaceHealth.objects.filter(workspace=workspace).first()


def entries_of(workspace: Workspace) -> dict[str, Entry]:
    """Return the measured files by path; none when the workspace was never measured."""
    health = health_of(workspace)
    return health.entries if health is not None else {}


def below(entries: Mapping[str, Entry], folder: str) -> dict[str, Entry]:
    """Return the files below a folder; "" is everything."""
    prefix = f"{folder}/" if folder else ""
    return {path: entry for path, entry in entries.items() if path.startswith(prefix)}


def ordered(entries: Mapping[str, Entry], order: str) -> list[tuple[str, Entry]]:
    """Return files by path, or the worst by a figure first: the lowest maintainability, the highest of everything else."""
    found = list(entries.items())
    if order == "path":
        return found

    def badness(one: tuple[str, Entry]) -> tuple[bool, float]:
        figure = getattr(one[1], order)
        return figure is None, (figure or 0) if order == "maintainability" else -(figure or 0)

    return sorted(found, key=badness)


def figures_of_file(workspace: Workspace, path: str) -> tuple[Entry, dict[str, Any]]:
    """Return everything measured of one file as it stands in the checkout.

    Raises:
        NotFound: no source file of this path was measured.
    """
    entry = entries_of(workspace).get(path)
    row = (
        FileFigures.objects.filter(workspace=workspace, key=entry.key).first() if entry is not None else None
    )
    if entry is None or row is None:
        raise NotFound("No source file of this path has been measured.")
    return entry, unpack(row.packed)


@dataclass(frozen=True, slots=True)
class Hotspot:
    """A file where changes are frequent and the code is hard to read."""

    path: str
    entry: Entry
    commits: int

    @property
    def score(self) -> int:
        return score_of(self.entry.cognitive_total, commits=self.commits)


def hotspots_of(workspace: Workspace, entries: Mapping[str, Entry], *, limit: int) -> list[Hotspot]:
    """Return the hottest files first; a file that no commit has changed is none."""
    commits = churn(workspace, repository_of(workspace))
    found = (Hotspot(path, entries[path], count) for path, count in commits.items() if path in entries)
    return hottest(found, limit=limit)


def trend_of(workspace: Workspace, *, limit: int) -> list[TrendPoint]:
    """Return the measured ones of the last commits of the current branch, oldest first."""
    line = main_line(repository_of(workspace), limit=limit)
    order = {info.sha: -number for number, info in enumerate(line)}
    points = TrendPoint.objects.filter(workspace=workspace, commit__in=list(order))
    return sorted(points, key=lambda point: order[point.commit])


def open_measurements(workspace: Workspace) -> list[Measurement]:
    """Return the long measurements that have not ended; not the short ones that follow a commit by themselves."""
    found = Measurement.objects.filter(workspace=workspace, state__in=Measurement.OPEN).order_by("pk")
    return list(found.exclude(kind=Measurement.Kind.TREND, requested_by__isnull=True))


def measurement_of(workspace: Workspace, measurement_id: int) -> Measurement:
    """Return a measurement of this workspace.

    Raises:
        NotFound: it has none with this number.
    """
    measurement = Measurement.objects.filter(workspace=workspace, pk=measurement_id).first()
    if measurement is None:
        raise NotFound("There is no such measurement.")
    return measurement
