"""The health of a whole workspace: measured once per content, whichever way it came."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.framework.people import Company
from tests.framework.repos import commit_files, write_files
from webapp.codehealth import measuring
from webapp.codehealth.models import FileFigures, Measurement, TrendPoint
from webapp.codehealth.selectors import entries_of, figures_of_file, hotspots_of, trend_of
from webapp.codehealth.services import cancel_measurement, refresh_paths, refresh_workspace, start_measurement
from webapp.codehealth.services.measurements import (
    Interrupted,
    give_up_stale_measurements,
    next_measurement,
    run_measurement,
)
from webapp.codehealth.services.trend import fill_trend
from webapp.errors import Conflict, Invalid, NotFound
from webapp.workspaces.repositories import repository_of
from workers.codehealth.auditor import CodeHealthAuditor
from workers.codehealth.hotspots import Churn, hotspots

PLAIN = b"def f():\n    return 1\n"
BRANCHED = b"def f(a):\n    if a:\n        return 1\n    return 2\n\n\nclass C:\n    def m(self):\n        return 3\n"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that the core was asked to measure."""
    paths: list[str] = []
    real = measuring.audit_source

    def audit(source: bytes | str, *, path: str) -> object:
        paths.append(path)
        return real(source, path=path)

    monkeypatch.setattr(measuring, "audit_source", audit)
    return paths


def test_measures_what_git_does_not_ignore_committed_or_not(company: Company) -> None:
    repository = repository_of(company.workspace)
    commit_files(repository, {"a.py": BRANCHED, ".gitignore": b"build/\n", "notes.md": b"# Notes\n"})
    write_files(repository, {"new.py": PLAIN, "build/made.py": PLAIN, "broken.py": b"def (:\n"})
    (repository.files_dir / "link.py").symlink_to("a.py")
    refresh_workspace(company.workspace)
    entries = entries_of(company.workspace)
    assert list(entries) == ["a.py", "broken.py", "new.py"]
    a = entries["a.py"]
    assert (a.lines, a.functions, a.total, a.cyclomatic, a.cyclomatic_name, a.cyclomatic_line) == (
        9, 2, 3, 2, "f", 1,
    )  # fmt: skip
    assert entries["broken.py"].errors > 0
    _, figures = figures_of_file(company.workspace, "a.py")
    assert [one["qualname"] for one in figures["functions"]] == ["f", "C.m"]
    with pytest.raises(NotFound):
        figures_of_file(company.workspace, "build/made.py")


def test_measures_only_content_that_it_has_not_seen(company: Company, measured: list[str]) -> None:
    repository = repository_of(company.workspace)
    commit_files(repository, {"a.py": BRANCHED, "b.py": PLAIN, "same.py": PLAIN})
    refresh_workspace(company.workspace)
    assert sorted(measured) == ["a.py", "b.py"] or sorted(measured) == ["a.py", "same.py"]
    measured.clear()
    refresh_workspace(company.workspace)
    assert measured == []
    write_files(repository, {"b.py": b"x = 1\n"})
    refresh_workspace(company.workspace)
    assert measured == ["b.py"]


def test_looks_at_the_named_paths_alone_and_forgets_what_is_gone(company: Company) -> None:
    repository = repository_of(company.workspace)
    commit_files(repository, {"a.py": BRANCHED, "src/b.py": PLAIN, "src/c.py": PLAIN})
    refresh_workspace(company.workspace)
    write_files(repository, {"a.py": PLAIN, "src/b.py": None, "src/d.py": BRANCHED})
    refresh_paths(company.workspace, ["src"])
    entries = entries_of(company.workspace)
    assert list(entries) == ["a.py", "src/c.py", "src/d.py"]
    assert entries["a.py"].functions == 2
    refresh_paths(company.workspace, ["a.py"])
    assert entries_of(company.workspace)["a.py"].functions == 1


def test_goes_through_everything_when_what_is_ignored_changes(company: Company) -> None:
    repository = repository_of(company.workspace)
    commit_files(repository, {"a.py": PLAIN})
    write_files(repository, {"made.py": PLAIN})
    refresh_workspace(company.workspace)
    write_files(repository, {".gitignore": b"made.py\n"})
    refresh_paths(company.workspace, [".gitignore"])
    assert list(entries_of(company.workspace)) == ["a.py"]


def test_keeps_paths_that_are_no_text(company: Company) -> None:
    repository = repository_of(company.workspace)
    (repository.files_dir / b"caf\xe9.py".decode("utf-8", "surrogateescape")).write_bytes(PLAIN)
    refresh_workspace(company.workspace)
    (path,) = entries_of(company.workspace)
    assert path.startswith("caf") and path.encode("utf-8")


def test_forgets_figures_that_nothing_has_needed_for_long(company: Company) -> None:
    repository = repository_of(company.workspace)
    commit_files(repository, {"a.py": PLAIN})
    refresh_workspace(company.workspace)
    FileFigures.objects.update(created_at=timezone.now() - timedelta(days=40))
    write_files(repository, {"a.py": BRANCHED})
    refresh_workspace(company.workspace)
    assert FileFigures.objects.count() == 1


def test_a_trend_costs_what_each_commit_changed(company: Company, measured: list[str]) -> None:
    repository = repository_of(company.workspace)
    commits = [
        commit_files(repository, {"a.py": PLAIN, "b.py": BRANCHED}),
        commit_files(repository, {"b.py": PLAIN}, message="Simplify b"),
        commit_files(repository, {"c.py": BRANCHED}),
    ]
    assert fill_trend(company.workspace, commits=3) == 3
    assert len(measured) == 2
    points = trend_of(company.workspace, limit=50)
    assert [point.commit for point in points] == commits
    assert [(point.files, point.functions, point.cyclomatic) for point in points] == [
        (2, 3, 2),
        (2, 2, 1),
        (3, 4, 2),
    ]
    assert points[1].subject == "Simplify b"
    assert fill_trend(company.workspace, commits=3) == 0


def test_hotspots_are_complex_and_change_often(company: Company) -> None:
    repository = repository_of(company.workspace)
    nested = (
        b"def f(a):\n    def g():\n        if a:\n            return 1\n    return g\n\n\n"
        b"def h(a):\n    if a:\n        return 1\n"
    )
    simple = b"".join(b"def f%d():\n    return 1\n\n\n" % number for number in range(30))
    commit_files(
        repository, {"calm.py": BRANCHED, "hot.py": nested, "empty.py": b"", "long_but_simple.py": simple}
    )
    for number in range(3):
        commit_files(repository, {"hot.py": nested + b"# %d\n" % number})
    refresh_workspace(company.workspace)
    found = hotspots_of(company.workspace, entries_of(company.workspace), limit=10)
    assert [(one.path, one.commits, one.score) for one in found] == [("hot.py", 4, 8), ("calm.py", 1, 1)]
    audits = CodeHealthAuditor().audit_files(
        repository.files_dir, ["calm.py", "hot.py", "long_but_simple.py"]
    )
    same = hotspots(
        audits, {one.path: Churn(one.commits) for one in found} | {"long_but_simple.py": Churn(9)}
    )
    assert [(one.path, one.score) for one in same] == [(one.path, one.score) for one in found]


def test_a_measurement_measures_the_workspace_and_says_how_it_ended(company: Company) -> None:
    commit_files(repository_of(company.workspace), {"a.py": PLAIN})
    asked = start_measurement(workspace=company.workspace, kind="workspace", requested_by=company.member)
    again = start_measurement(workspace=company.workspace, kind="workspace", requested_by=company.owner)
    assert again == asked
    measurement = next_measurement()
    assert measurement == asked
    done = run_measurement(measurement)
    assert (done.state, done.percent) == ("done", 100)
    assert list(entries_of(company.workspace)) == ["a.py"]
    assert run_measurement(done).state == "done"
    assert next_measurement() is None


def test_a_measurement_is_cancelled_before_and_while_it_is_at_work(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = repository_of(company.workspace)
    commit_files(repository, {f"f{number}.py": b"x = %d\n" % number for number in range(30)})
    waiting = start_measurement(workspace=company.workspace, kind="workspace", requested_by=company.member)
    assert cancel_measurement(measurement=waiting).state == "cancelled"
    monkeypatch.setattr(measuring, "CHUNK", 10)
    monkeypatch.setattr("webapp.codehealth.services.measurements.TELL_EVERY_S", 0)
    measurement = start_measurement(
        workspace=company.workspace, kind="workspace", requested_by=company.member
    )
    real = measuring.audit_source

    def audit(source: bytes | str, *, path: str) -> object:
        Measurement.objects.filter(pk=measurement.pk).update(is_cancel_asked=True)
        return real(source, path=path)

    monkeypatch.setattr(measuring, "ThreadPoolExecutor", _InThisThread)
    monkeypatch.setattr(measuring, "audit_source", audit)
    ended = run_measurement(measurement)
    assert (ended.state, ended.done, ended.total) == ("cancelled", 10, 30)
    assert entries_of(company.workspace) == {}
    assert cancel_measurement(measurement=ended).state == "cancelled"


class _InThisThread:
    def __init__(self, **_: object) -> None: ...
    def __enter__(self) -> _InThisThread:
        return self

    def __exit__(self, *_: object) -> None: ...

    map = staticmethod(map)


def test_refuses_a_trend_over_no_or_too_many_commits_and_a_workspace_that_is_not_ready(
    company: Company,
) -> None:
    for commits in (0, 501):
        with pytest.raises(Invalid):
            start_measurement(
                workspace=company.workspace, kind="trend", requested_by=company.member, commits=commits
            )
    company.workspace.state = "preparing"
    with pytest.raises(Conflict):
        start_measurement(workspace=company.workspace, kind="workspace", requested_by=company.member)


def test_a_measurement_that_a_restart_interrupted_ends_as_failed(company: Company) -> None:
    measurement = start_measurement(
        workspace=company.workspace, kind="workspace", requested_by=company.member
    )
    Measurement.objects.filter(pk=measurement.pk).update(
        state="running", updated_at=timezone.now() - timedelta(minutes=5)
    )
    give_up_stale_measurements()
    measurement.refresh_from_db()
    assert (measurement.state, measurement.note[:11]) == ("failed", "Interrupted")
    assert TrendPoint.objects.count() == 0


def test_a_measurement_that_is_interrupted_waits_again(company: Company) -> None:
    commit_files(repository_of(company.workspace), {"a.py": PLAIN})
    asked = start_measurement(workspace=company.workspace, kind="workspace", requested_by=company.member)

    def interrupt(_done: int, _total: int) -> None:
        raise Interrupted

    assert run_measurement(asked, on_progress=interrupt).state == "queued"
    assert run_measurement(asked).state == "done"
