"""What a change did to each function."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.codehealth.auditor import CodeHealthAuditor, FunctionDelta
from workers.codehealth.metrics import FileAudit

auditor = CodeHealthAuditor(threads=1)


def audit(source: str) -> FileAudit:
    return auditor.audit_source(source, path="x.py")


def test_lists_what_changed_and_puts_the_worst_first():
    before = audit("def same(): pass\ndef grows(): pass\ndef shrinks():\n  if a: pass\ndef goes(): pass\n")
    after = audit(
        "def same(): pass\ndef grows():\n  if a: pass\n  if b: pass\ndef shrinks(): pass\ndef comes():\n  if a: pass\n"
    )
    assert auditor.compare(before, after) == [
        FunctionDelta("grows", 2, 1, 3),
        FunctionDelta("comes", 6, None, 2),
        FunctionDelta("goes", 5, 1, None),
        FunctionDelta("shrinks", 5, 2, 1),
    ]
    assert [delta.is_worse for delta in auditor.compare(before, after)] == [True, True, False, False]


def test_finds_no_change_in_a_function_that_only_moved():
    assert auditor.compare(audit("def f(): pass\n"), audit("\n\nx = 1\ndef f(): pass\n")) == []


def test_matches_functions_of_one_name_by_their_order():
    before = audit("class A:\n  @property\n  def x(self): ...\n  @x.setter\n  def x(self, v): ...\n")
    after = audit(
        "class A:\n  @property\n  def x(self): ...\n  @x.setter\n  def x(self, v):\n    if v: ...\n"
    )
    assert auditor.compare(before, after) == [FunctionDelta("A.x", 5, 1, 2)]


def test_takes_an_absent_file_for_an_empty_one():
    one = audit("def f(): pass\n")
    assert auditor.compare(None, one) == [FunctionDelta("f", 1, None, 1)]
    assert auditor.compare(one, None) == [FunctionDelta("f", 1, 1, None)]
    assert auditor.compare(None, None) == []


def test_calls_no_function_gone_that_an_error_may_hide():
    before = audit("def f(): pass\ndef g(): pass\n")
    after = audit("def f():\n  if a: pass\ndef g(:\n  pass\n")
    assert auditor.compare(before, after) == [FunctionDelta("f", 1, 1, 2)]


def test_audits_files_beneath_a_root_only(tmp_path: Path):
    (tmp_path / "a.py").write_text("def f(): pass\n")
    inside, outside = auditor.audit_files(tmp_path, ["a.py", "../a.py"])
    assert (inside.path, len(inside.functions), inside.errors) == ("a.py", 1, ())
    assert outside.functions == ()
    assert outside.errors


def test_says_that_a_root_is_missing(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        auditor.audit_files(tmp_path / "absent", [])
