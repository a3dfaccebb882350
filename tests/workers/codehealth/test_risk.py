"""The risk strip of a change to one file."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from tests.framework.keys import fake_key
from workers.codehealth.risk import Risk, hunk_risk


def risk(before: str | None, after: str | None, *, path: str = "pkg/shapes.py") -> Risk:
    sides = (None if side is None else dedent(side).encode() for side in (before, after))
    return hunk_risk(path, *sides)


def branches(count: int) -> str:
    return "def f(a):\n" + "".join(
        f"    if a == {number}:\n        return {number}\n" for number in range(count)
    )


def test_finds_nothing_in_a_change_of_words():
    found = risk("def f():\n    return 'a'\n", "def f():\n    return 'b'\n")
    assert (found.level, found.reasons) == ("low", ())
    assert (found.complexity_before, found.complexity_after) == (1, 1)


def test_shows_the_worst_function_that_is_touched_not_the_worst_of_the_file():
    rest = branches(30).replace("def f", "def untouched")
    found = risk(rest + "def g(): return 1\n", rest + "def g(a):\n    if a: return 1\n")
    assert (found.complexity_before, found.complexity_after) == (1, 2)


def test_rises_with_complexity():
    assert risk(branches(1), branches(2)).level == "low"
    assert risk(branches(1), branches(7)).level == "medium"
    assert risk(branches(9), branches(10)).level == "medium"
    assert risk(branches(12), branches(20)).level == "high"
    assert risk(branches(20), branches(12)).level == "low"


def test_names_public_names_that_go_away_change_or_come():
    found = risk(
        "def gone(): ...\ndef same(a): ...\ndef other(a): ...\ndef _private(): ...\n",
        "def same(a): return a\ndef other(a, b): ...\nclass Comes:\n    def method(self): ...\n",
    )
    assert found.public_names_touched == ("gone", "other", "Comes", "Comes.method")
    assert found.level == "high"
    assert found.reasons == (
        "removes the public gone",
        "changes how other is used",
        "adds the public Comes, Comes.method",
    )


def test_holds_an_import_public_only_in_a_package_file():
    before, after = "from .a import b\n", "from .a import c\n"
    assert risk(before, after).public_names_touched == ()
    assert risk(before, after, path="pkg/__init__.py").public_names_touched == ("b", "c")


def test_counts_deleted_tests_and_assertions():
    found = risk(
        "def test_a():\n    assert a\ndef test_b():\n    assert b\n    assert c\n",
        "def test_a():\n    assert a\n",
        path="tests/test_shapes.py",
    )
    assert (found.tests_deleted, found.asserts_deleted, found.level) == (1, 2, "high")
    assert found.reasons == ("deletes 1 test", "deletes 2 assertions")
    assert found.public_names_touched == ()


def test_takes_a_renamed_test_for_no_deletion():
    found = risk(
        "def test_a():\n    assert a\n", "def test_b():\n    assert a\n", path="tests/test_shapes.py"
    )
    assert (found.tests_deleted, found.asserts_deleted, found.level) == (0, 0, "low")


def test_counts_an_assertion_that_is_gone_from_a_test_that_stays():
    found = risk("def test_a():\n    assert a\n", "def test_a():\n    pass\n", path="tests/test_shapes.py")
    assert (found.tests_deleted, found.asserts_deleted, found.level) == (0, 1, "medium")


def test_counts_tests_of_other_languages():
    before = "it('a', () => { expect(a).toBe(1); });\nit('b', () => { expect(b).toBe(1); });\n"
    found = risk(before, before.splitlines(keepends=True)[0], path="src/a.test.ts")
    assert (found.tests_deleted, found.asserts_deleted, found.level) == (1, 1, "high")
    assert risk("#[test]\nfn a() { assert!(b); }\n", "", path="src/a.rs").tests_deleted == 1


def test_says_that_a_file_no_longer_parses():
    found = risk("def f(): pass\n", "def f(:\n")
    assert found.level == "high"
    assert found.reasons[0].startswith("no longer parses: line 1: ")
    assert found.public_names_touched == ()
    assert (found.complexity_after, found.maintainability_delta) == (None, None)


def test_does_not_blame_a_change_for_a_file_that_never_parsed():
    assert risk("print 'a'\n", "print 'b'\n").level == "low"


def test_weighs_a_file_that_comes_or_goes():
    comes = risk(None, "def f(a):\n    if a: return 1\n")
    assert (comes.complexity_before, comes.complexity_after, comes.level) == (None, 2, "low")
    goes = risk("def f(): ...\n", None)
    assert (goes.complexity_after, goes.public_names_touched, goes.level) == (None, ("f",), "high")


def test_tells_how_maintainability_falls():
    long = "".join(f"v{number} = a{number} * b{number} + c{number} - {number}\n" for number in range(200))
    found = risk("# kept simple\nx = a + b\n", long)
    assert found.maintainability_delta is not None
    assert found.maintainability_delta < -10
    assert any(reason.startswith("maintainability falls by") for reason in found.reasons)


def test_minds_the_path():
    found = hunk_risk(".github/workflows/build.yml", b"a", b"b")
    assert (found.is_sensitive_path, found.level, found.reasons) == (
        True,
        "high",
        ("touches CI configuration",),
    )
    assert hunk_risk("package-lock.json", b"a", b"b").level == "medium"


def test_answers_binary_files():
    found = hunk_risk("logo.png", b"\x89PNG\0\xff", b"\xff\xfe\0")
    assert (found.level, found.maintainability_delta) == ("low", None)


def test_fits_into_json():
    found = risk("def f(): ...\n", "def f(a): ...\n")
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


def test_is_high_when_a_secret_or_a_conflict_comes_in():
    key = fake_key("glpat-", 20)
    found = risk("a = 1\n", f"a = 1\nkey = '{key}'\n")
    assert found.level == "high"
    assert any("adds a secret: GitLab token (line 2)" in reason for reason in found.reasons)
    assert key not in str(found.reasons)
    assert risk(f"key = '{key}'\n", f"b = 2\nkey = '{key}'\n").level == "low"
    assert risk("a\n", "<<<<<<< ours\na\n>>>>>>> theirs\n", path="notes.md").level == "high"


def test_names_debugging_leftovers():
    found = risk("def f():\n    return 1\n", "def f():\n    breakpoint()\n    return 1\n")
    assert found.level == "medium"
    assert "adds: A breakpoint (line 2)" in found.reasons


@pytest.mark.timeout(10)
def test_a_file_of_empty_lines_is_weighed_at_once():
    """It took hours, in the process that everybody waits for."""
    assert hunk_risk("src/a.test.js", b"test('a', f)\n", b"\n" * 300_000).tests_deleted == 1
    assert hunk_risk("src/a.rs", b"#[test]\n", b"    #[test]\n" + b" \n" * 300_000).tests_deleted == 0
