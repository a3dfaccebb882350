"""Source that is not Python, or not yet: a diagnosis with line and column, raw counts, and what is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import rust_core


def test_keeps_the_figures_of_functions_that_no_error_touches():
    source = b"def whole():\n    if a: return 1\n\ndef half(b:\n    x = (1 +\n\ndef another():\n    return [c for c in d]\n"
    found = rust_core.audit_source(source)
    assert [(one["name"], one["cyclomatic"], one["complexity_radon"]) for one in found["functions"]] == [
        ("whole", 2, 2),
        ("another", 1, 2),
    ]
    assert found["maintainability_index"] is found["halstead"] is found["complexity_radon"] is None
    assert found["raw"]["loc"] > 0


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        (b"x = (\n", 2, 1),
        (b"x = 1\ny = $\n", 2, 5),
        ("é = 'ü' ü\n".encode(), 1, 9),
        (b"print 'hello'\n", 1, 7),
        (b"\tx\n  y\n", 1, 1),
        (b"x = 'abc\n", 1, 5),
    ],
)
def test_says_where_the_first_error_stands(source: bytes, line: int, column: int):
    errors = rust_core.audit_source(source)["errors"]
    assert (errors[0]["line"], errors[0]["column"]) == (line, column)
    assert errors[0]["message"]


def test_stops_listing_errors_at_a_hundred():
    assert len(rust_core.audit_source(b") " * 10_000)["errors"]) == 100


@pytest.mark.parametrize(
    ("source", "is_right"),
    [
        ("# coding: latin-1\nx = 'é'\n".encode("latin-1"), True),
        ("# -*- coding: koi8-r -*-\nx = 'привет'\n".encode("koi8-r"), True),
        ("#!/usr/bin/python\n# vim: set fileencoding=cp1251 :\nx = 'д'\n".encode("cp1251"), True),
        ("\ufeffx = 'é'\n".encode(), True),
        (b"x = 1\r\ny = 2\r\n", True),
        (b"x = 1\ry = 2\r", True),
        (b"x = '\xe9'\n", False),
        ("x = 1\n".encode("utf-16"), False),
        (b"# coding: no-such-codec\nx = 1\n", False),
    ],
)
def test_reads_any_encoding_and_says_what_python_would_refuse(source: bytes, is_right: bool):
    found = rust_core.audit_source(source)
    assert (found["errors"] == []) is is_right
    assert found["raw"]["lloc"] >= 1


def test_ignores_the_coding_cookie_of_text():
    assert rust_core.audit_source("# coding: no-such-codec\nx = 'é'\n")["errors"] == []


def test_accepts_text_with_lone_surrogates():
    assert rust_core.audit_source("x = '\ud800'\n")["raw"]["sloc"] == 1


def test_counts_only_lines_of_an_unknown_language():
    found = rust_core.audit_source(b"a\n\nb\n", path="notes.txt")
    assert (found["language"], found["functions"], found["maintainability_index"]) == (None, [], None)
    assert (found["raw"]["loc"], found["raw"]["blank"], found["errors"]) == (3, 1, [])


def test_refuses_a_language_that_it_cannot_audit():
    with pytest.raises(ValueError, match="cobol"):
        rust_core.audit_source(b"", language="cobol")


def test_refuses_what_is_neither_bytes_nor_text():
    with pytest.raises(TypeError):
        rust_core.audit_source(bytearray(b"x"))


def test_keeps_the_order_of_paths_and_reports_what_cannot_be_read(tmp_path: Path):
    (tmp_path / "good.py").write_text("def f(): pass\n")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    names = ["good.py", "absent.py", "pipe.py", "folder.py", "good.py"]
    found = rust_core.audit_paths([tmp_path / name for name in names], threads=2)
    assert [len(one["functions"]) for one in found] == [1, 0, 0, 0, 1]
    assert [bool(one["errors"]) for one in found] == [False, True, True, True, False]


def test_reads_nothing_outside_of_its_root(tmp_path: Path):
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (tmp_path / "secret.py").write_text("def secret(): pass\n")
    (root / "inner" / "own.py").write_text("def own(): pass\n")
    (root / "link.py").symlink_to(tmp_path / "secret.py")
    (root / "linked").symlink_to(root / "inner")
    names = [
        "inner/own.py",
        "link.py",
        "linked/own.py",
        "../secret.py",
        "inner/../../secret.py",
        str(tmp_path / "secret.py"),
    ]
    found = rust_core.audit_paths(names, root=root)
    assert [len(one["functions"]) for one in found] == [1, 0, 0, 0, 0, 0]
    assert all(one["errors"] for one in found[1:])


def test_says_that_a_root_is_missing(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        rust_core.audit_paths([], root=tmp_path / "absent")
