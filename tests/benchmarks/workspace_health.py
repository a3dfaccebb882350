"""What the health of a large workspace costs: CPython's library and Django as one repository.

Run it with `python -m pytest -s tests/benchmarks/workspace_health.py`; it asserts nothing.
"""

from __future__ import annotations

import gzip
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import django
import pytest

from tests.framework.people import Company
from tests.framework.repos import AUTHOR
from webapp.codehealth.selectors import entries_of
from webapp.codehealth.services import refresh_paths, refresh_workspace
from webapp.codehealth.services.trend import fill_trend
from webapp.workspaces.repositories import repository_of

T = TypeVar("T")
SKIPPED = shutil.ignore_patterns("__pycache__", "site-packages", "test", "idlelib")
FUNCTION = (
    "def function_{n}(first, second):\n    if first > second:\n        return first\n    for each in range(second):\n"
    "        print(each)\n    return second\n\n\n"
)


def timed(name: str, work: Callable[[], T], *, rounds: int = 1) -> T:
    """Return what `work` returns; print the least CPU and wall time of the rounds."""
    times = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    print(f"{name}: CPU {min(times)[0] * 1000:.1f} ms, wall {min(one[1] for one in times) * 1000:.1f} ms")
    return result


@pytest.mark.timeout(900)
def test_large_workspace(company: Company) -> None:
    workspace, repository = company.workspace, repository_of(company.workspace)
    for source, name in ((django.__file__, "django"), (os.__file__, "library")):
        shutil.copytree(Path(source).parent, repository.files_dir / name, ignore=SKIPPED)
    repository.stage([""])
    repository.commit("Add everything", author=AUTHOR)
    timed("first audit", lambda: refresh_workspace(workspace))
    entries = entries_of(workspace).values()
    print(f"{len(entries)} files, {sum(entry.lines for entry in entries)} lines")
    timed("the same again", lambda: refresh_workspace(workspace), rounds=3)
    path = "django/db/models/query.py"
    with (repository.files_dir / path).open("a") as file:
        file.write("# changed\n")
    timed("a changed file", lambda: refresh_paths(workspace, [path]))
    timed("a file looked at", lambda: refresh_paths(workspace, [path]), rounds=3)
    timed("trend of two commits", lambda: fill_trend(workspace, commits=5))
    client = company.client(company.viewer)
    page = timed("the page", lambda: client.get(f"/w/{workspace.pk}/health/"), rounds=4)
    print(f"{len(gzip.compress(page.content, 6))} bytes gzip, {page.content.count(b'<rect')} tiles")
    body = {"path": "long.py", "text": "".join(FUNCTION.format(n=n) for n in range(250))}
    address = f"/api/v1/workspaces/{workspace.pk}/files/audit"
    member = company.client(company.member)
    timed("a buffer", lambda: member.post(address, body, content_type="application/json"), rounds=15)
