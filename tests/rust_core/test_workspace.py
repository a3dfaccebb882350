"""The audit of a tree: what it takes in, what it leaves out and why, how it goes on and how it ends."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import rust_core
from tests.rust_core.corpus import DJANGO, STANDARD_LIBRARY

SOURCE = "def f(a):\n    if a:\n        return 1\n"


def plant(root: Path, *paths: str, source: str = SOURCE) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(source)


def names(found: dict[str, Any]) -> list[str]:
    return [file["path"] for file in found["files"]]


def reasons(found: dict[str, Any]) -> dict[str, str]:
    return {file["path"]: file["reason"] for file in found["skipped"]}


def test_equals_the_audits_of_its_files():
    found = rust_core.audit_workspace(DJANGO, threads=2)
    paths = sorted(str(path.relative_to(DJANGO)) for path in DJANGO.rglob("*.py"))
    python = [
        {key: file[key] for key in file if key != "key"}
        for file in found["files"]
        if file["language"] == "python"
    ]
    assert sorted(file["path"] for file in python) == paths
    assert python == rust_core.audit_paths([file["path"] for file in python], root=DJANGO)
    assert names(found) == sorted(names(found), key=os.fsencode)


def test_respects_gitignore_as_git_does(tmp_path: Path):
    plant(
        tmp_path,
        "a.py",
        "build/b.py",
        "deep/c.py",
        "deep/build/d.py",
        "deep/kept/e.py",
        "vendor/f.py",
        "g.log.py",
    )
    plant(
        tmp_path,
        "deep/kept/local.py",
        "deep/local.py",
        "excluded.py",
        ".hidden/h.py",
        ".git/i.py",
        "sub/.git",
    )
    plant(tmp_path, ".gitignore", source="build/\n/vendor\n*.log.py\n!unmatched\n# comment\n")
    plant(tmp_path, "deep/.gitignore", source="local.py\n!kept/local.py\n!build/\n")
    plant(tmp_path, ".git/info/exclude", source="excluded.py\n")
    found = rust_core.audit_workspace(tmp_path)
    assert [name for name in names(found) if name.endswith(".py")] == [
        ".hidden/h.py",
        "a.py",
        "deep/build/d.py",
        "deep/c.py",
        "deep/kept/e.py",
        "deep/kept/local.py",
    ]


def test_never_leaves_the_root_nor_waits(tmp_path: Path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    plant(outside, "secret.py", "tree/more.py")
    plant(root, "a.py")
    (root / "file.py").symlink_to(outside / "secret.py")
    (root / "folder").symlink_to(outside / "tree")
    os.mkfifo(root / "pipe.py")
    (root / "rules").mkdir()
    os.mkfifo(root / "rules/.gitignore")
    plant(root, "rules/b.py")
    (root / "linked").mkdir()
    (root / "linked/.gitignore").symlink_to(outside / "secret.py")
    plant(root, "linked/c.py")
    found = rust_core.audit_workspace(root)
    assert names(found) == ["a.py", "linked/c.py", "rules/b.py"]
    said = reasons(found)
    assert "not followed" in said["file.py"]
    assert "not followed" in said["folder"]
    assert said["pipe.py"] == "not a regular file"
    unread = {file["path"] for file in found["skipped"] if "rules are not applied" in file["reason"]}
    assert unread == {"rules/.gitignore", "linked/.gitignore"}


def test_says_why_a_file_has_no_figures(tmp_path: Path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "huge.py").write_bytes(b"x = 1\n" * 1_000_000)
    (tmp_path / "wide.py").write_bytes("x = 1\n".encode("utf-16"))
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "notes.txt").write_text("one\ntwo\n")
    found = rust_core.audit_workspace(tmp_path)
    assert reasons(found) == {"huge.py": "larger than 4 MiB, not read", "picture.png": "binary"}
    files = {file["path"]: file for file in found["files"]}
    assert files["broken.py"]["errors"]
    assert files["wide.py"]["errors"]
    assert files["notes.txt"]["raw"]["loc"] == 2


def test_survives_a_tree_that_is_deep_or_holds_odd_names(tmp_path: Path):
    deep = tmp_path
    for _ in range(200):
        deep = deep / "d"
        deep.mkdir()
    plant(deep, "a.py")
    plant(tmp_path, "new\nline.py", "é.py", "-rf.py")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py")).write_text(SOURCE)
    found = rust_core.audit_workspace(tmp_path)
    assert len(found["files"]) == 4
    assert [file["reason"] for file in found["skipped"]] == ["more than 128 folders deep"]


def test_returns_only_what_changed_to_a_caller_that_tells_its_keys(tmp_path: Path):
    plant(tmp_path / "tree", "a.py", "b.py", "c/d.py")
    first = rust_core.audit_workspace(tmp_path / "tree", cache=tmp_path / "cache")
    known = {file["path"]: file["key"] for file in first["files"]}
    plant(tmp_path / "tree", "b.py", source=SOURCE * 2)
    plant(tmp_path / "tree", "e.py")
    second = rust_core.audit_workspace(tmp_path / "tree", cache=tmp_path / "cache", known=known)
    assert names(second) == ["b.py", "e.py"]
    assert second["unchanged"] == ["a.py", "c/d.py"]
    assert second["from_cache"] == 1
    with pytest.raises(ValueError, match="hex"):
        rust_core.audit_workspace(tmp_path / "tree", known={"a.py": "not a key"})


def test_tells_how_far_it_is():
    calls: list[tuple[int, int]] = []
    found = rust_core.audit_workspace(
        STANDARD_LIBRARY / "test", threads=1, progress=lambda *counts: calls.append(counts)
    )
    assert calls == sorted(calls)
    assert calls[-1][0] == calls[-1][1] > len(found["files"]) * 0.9
    assert not found["is_cancelled"]


def test_ends_soon_after_it_is_cancelled():
    is_cancelled = threading.Event()
    threading.Timer(0.05, is_cancelled.set).start()
    start = time.thread_time()
    found = rust_core.audit_workspace(STANDARD_LIBRARY, threads=1, cancel=is_cancelled.is_set)
    assert found["is_cancelled"]
    whole = rust_core.audit_workspace(STANDARD_LIBRARY / "email")
    assert not whole["is_cancelled"]
    assert time.thread_time() - start < 5


def test_raises_what_a_callback_raises():
    def fail(done: int, total: int) -> None:
        raise LookupError(f"{done} of {total}")

    with pytest.raises(LookupError):
        rust_core.audit_workspace(STANDARD_LIBRARY / "json", progress=fail)
    with pytest.raises(FileNotFoundError):
        rust_core.audit_workspace("/nowhere/at/all")
