"""The trend: the health of the whole tree of past commits, measured when somebody asks for it."""

from __future__ import annotations

from dataclasses import asdict

from webapp.codehealth.figures import totals
from webapp.codehealth.history import main_line
from webapp.codehealth.measuring import Measurer, Progress
from webapp.codehealth.models import TrendPoint
from webapp.codehealth.selectors import entries_of
from webapp.workspaces.models import Workspace


def fill_trend(workspace: Workspace, *, commits: int, progress: Progress | None = None) -> int:
    """Measure the trees of the last commits that have no point yet, the newest first; return how many were measured."""
    measurer = Measurer(workspace, known=entries_of(workspace).values())
    line = main_line(measurer.repository, limit=commits)
    known = set(
        TrendPoint.objects.filter(workspace=workspace, commit__in=[one.sha for one in line]).values_list(
            "commit", flat=True
        )
    )
    missing = [one for one in line if one.sha not in known]
    for number, info in enumerate(missing):
        tell = _of_commits(progress, number, len(missing))
        tell(0, 0)
        sums = asdict(totals(measurer.commit(info.sha, progress=tell).values()))
        del sums["unparsed"]
        TrendPoint.objects.update_or_create(
            workspace=workspace,
            commit=info.sha,
            defaults={"committed_at": info.at, "subject": info.subject[:200], **sums},
        )
    return len(missing)


def _of_commits(progress: Progress | None, number: int, count: int) -> Progress:
    """Return a progress that counts commits, whatever it is told about files."""

    def tell(_done: int, _total: int) -> None:
        if progress is not None:
            progress(number, count)

    return tell
