from __future__ import annotations

import pytest

from tests.framework.people import Company
from tests.framework.repos import commit_files
from webapp.codehealth.models import Audit
from webapp.codehealth.selectors import audit_of
from webapp.codehealth.services import audit_commit
from webapp.workspaces.repositories import repository_of
from workers.changes.errors import UnknownRevision

PLAIN = b"def f():\n    return 1\n\n\ndef g(a):\n    if a:\n        return 1\n    return 2\n"
TANGLED = b"def f(a, b):\n    if a:\n        if b:\n            return 1\n    return 2\n\n\ndef g(a):\n    return a\n"


def test_measures_each_python_file_before_and_after(company: Company) -> None:
    repository = repository_of(company.workspace)
    commit_files(repository, {"a.py": PLAIN, "gone.py": PLAIN, "notes.txt": b"if x: pass\n"})
    sha = commit_files(
        repository,
        {"a.py": TANGLED, "gone.py": None, "new.py": PLAIN, "broken.py": b"def (:\n", "notes.txt": b"y\n"},
    )
    audit = audit_commit(company.workspace, sha, cause="landed")
    files = {file["path"]: file for file in audit.report["files"]}
    assert set(files) == {"a.py", "gone.py", "new.py", "broken.py"}
    assert files["a.py"]["functions"] == [
        {"name": "f", "line": 1, "before": 1, "after": 3},
        {"name": "g", "line": 8, "before": 2, "after": 1},
    ]
    assert (files["a.py"]["worse"], files["a.py"]["better"]) == (1, 1)
    assert files["gone.py"]["maintainability_after"] is None
    assert files["broken.py"]["diagnoses"][0]["line"] == 1
    assert (audit.files, audit.worst_complexity) == (4, 3)
    assert audit.mean_maintainability is not None
    assert audit_of(company.workspace, sha) == audit


def test_measures_other_languages_without_a_maintainability_index(company: Company) -> None:
    repository = repository_of(company.workspace)
    commit_files(repository, {"a.js": b"function f(a) { return 1; }\n"})
    sha = commit_files(repository, {"a.js": b"function f(a) { if (a) return 1; }\n"})
    audit = audit_commit(company.workspace, sha, cause="landed")
    assert audit.report["files"][0]["functions"] == [{"name": "f", "line": 1, "before": 1, "after": 2}]
    assert (audit.worst_complexity, audit.mean_maintainability) == (2, None)


def test_is_one_audit_when_told_twice(company: Company) -> None:
    sha = commit_files(repository_of(company.workspace), {"a.py": PLAIN})
    first = audit_commit(company.workspace, sha, cause="landed")
    assert audit_commit(company.workspace, sha, cause="landed") == first
    assert Audit.objects.count() == 1


def test_measures_the_first_commit_of_all(company: Company) -> None:
    repository = repository_of(company.workspace)
    root = repository.bare.text("rev-list", "--max-parents=0", "HEAD")
    assert audit_commit(company.workspace, root, cause="import").files == 0


def test_refuses_a_commit_that_is_not_there(company: Company) -> None:
    with pytest.raises(UnknownRevision):
        audit_commit(company.workspace, "0" * 40, cause="landed")


def test_leaves_links_and_huge_files_unmeasured(company: Company) -> None:
    repository = repository_of(company.workspace)
    sha = commit_files(repository, {"huge.py": b"x = 1\n" * 500_000})
    (file,) = audit_commit(company.workspace, sha, cause="landed").report["files"]
    assert file["maintainability_after"] is None
    assert file["functions"] == []
