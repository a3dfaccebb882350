"""What a change did to a tree, by any metric."""

from __future__ import annotations

import pytest

from workers.codehealth.auditor import CodeHealthAuditor
from workers.codehealth.deltas import FunctionDelta, Metric

auditor = CodeHealthAuditor(threads=2)

BEFORE = {
    "same.py": b"def f():\n  if a: pass\n",
    "grows.py": b"def f():\n  pass\ndef g():\n  for x in a:\n    if x: pass\n",
    "goes.py": b"def f(): pass\n",
    "moves.py": b"def f():\n  if a: pass\n",
}
AFTER = {
    "same.py": b"# moved down\ndef f():\n  if a: pass\n",
    "grows.py": b"def f(a, b):\n  for x in a:\n    if x: pass\ndef g(): pass\n",
    "comes.py": b"def f(): pass\ndef g():\n  if a and b: pass\n",
    "moved.py": b"def f():\n  if a: pass\n",
}


def test_lists_what_got_worse_and_better_across_files():
    delta = auditor.compare_trees(
        auditor.audit_sources(BEFORE.items()),
        auditor.audit_sources(AFTER.items()),
        renames={"moves.py": "moved.py"},
    )
    assert [(path, one.qualname, one.before, one.after) for path, one in delta.worse] == [
        ("grows.py", "f", 1, 3),
        ("comes.py", "g", None, 2),
    ]
    assert [(path, one.qualname, one.growth) for path, one in delta.better] == [("grows.py", "g", -2)]
    assert "moved.py" not in [file.path for file in delta.files]
    comes = next(file for file in delta.files if file.path == "comes.py")
    assert comes.maintainability[0] is None
    assert comes.maintainability[1] is not None


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("cognitive", FunctionDelta("f", 1, 0, 3, 0)),
        ("nesting", FunctionDelta("f", 1, 0, 2, 0)),
        ("parameters", FunctionDelta("f", 1, 0, 2, 0)),
        ("lines", FunctionDelta("f", 1, 2, 3, 1)),
    ],
)
def test_measures_by_any_metric(metric: Metric, expected: FunctionDelta):
    before, after = (auditor.audit_source(tree["grows.py"], path="grows.py") for tree in (BEFORE, AFTER))
    assert auditor.compare(before, after, metric=metric)[0] == expected


def test_measures_a_new_function_against_an_empty_one():
    (new,) = auditor.audit_sources([("a.py", b"def f():\n  if a: pass\n")])
    assert [one.growth for one in auditor.compare(None, new)] == [1]
    assert [one.growth for one in auditor.compare(None, new, metric="cognitive")] == [1]


def test_finds_nothing_in_equal_trees():
    tree = auditor.audit_sources(BEFORE.items())
    assert auditor.compare_trees(tree, tree).files == ()


def test_shows_no_change_of_a_figure_that_the_language_does_not_have():
    before, after = (
        auditor.audit_source(source, path="a.js")
        for source in (b"function f() {}", b"function f(a) { if (a) b(); }")
    )
    assert auditor.compare(before, after, metric="complexity_radon") == []
    changed = auditor.compare(before, after, metric="cognitive")
    assert [(one.before, one.after) for one in changed] == [(0, 1)]
