"""How often files changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.framework.repos import commit_files, make_repository
from workers.changes.churn import FileChurn
from workers.changes.errors import UnknownRevision


def test_counts_commits_and_lines_by_path(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a.py": b"1\n2\n", "d/odd\tname\n.py": b"x\n", "b.bin": b"\0\1"})
    first = repository.head()
    commit_files(repository, {"a.py": b"1\n3\n4\n", "b.bin": b"\0\2"})
    commit_files(repository, {"a.py": None, "c.py": b"1\n"})
    churn = repository.churn()
    assert churn["a.py"] == FileChurn(commits=3, lines_added=4, lines_removed=4)
    assert churn["b.bin"] == FileChurn(commits=2, lines_added=0, lines_removed=0)
    assert churn["d/odd\tname\n.py"].commits == 1
    assert churn["c.py"] == FileChurn(1, 1, 0)
    assert repository.churn(first).keys() == {"a.py", "b.bin", "d/odd\tname\n.py"}


def test_looks_back_only_as_far_as_asked(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a.py": b"1\n"})
    assert repository.churn(since=datetime.now(UTC) + timedelta(days=1)) == {}
    assert repository.churn(since=datetime.now(UTC) - timedelta(days=1)).keys() == {"a.py"}
    with pytest.raises(UnknownRevision):
        repository.churn("--all")
