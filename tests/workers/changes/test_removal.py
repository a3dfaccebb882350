"""Removing what somebody else has filled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workers.changes.removal import remove_tree

DEEP = 3000


def make_deep(folder: Path, depth: int) -> None:
    """Nest folders further than a path may be long, as a command in a sandbox can."""
    fd = os.open(folder, os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=fd)
        inner = os.open("deep", os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


def test_removes_folders_nested_deeper_than_a_path_may_be_long(tmp_path: Path) -> None:
    (tmp_path / "tree" / "beside").mkdir(parents=True)
    make_deep(tmp_path / "tree" / "beside", DEEP)
    descriptors = len(os.listdir("/proc/self/fd"))
    remove_tree(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_follows_no_link_and_opens_what_nobody_may_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    (tmp_path / "tree" / "closed" / "inner").mkdir(parents=True)
    (tmp_path / "tree" / "closed" / "inner" / "file").write_text("x")
    (tmp_path / "tree" / "out").symlink_to(outside)
    (tmp_path / "tree" / "closed" / "out").symlink_to(outside, target_is_directory=True)
    os.mkfifo(tmp_path / "tree" / "pipe")
    os.mkdir(os.fsencode(tmp_path / "tree") + b"/caf\xe9")
    for folder in ("closed/inner", "closed"):
        (tmp_path / "tree" / folder).chmod(0)
    remove_tree(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == [outside]
    assert outside.stat().st_mode & 0o777 == 0o500


def test_removes_a_file_or_a_link_and_nothing_when_nothing_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    for name in ("link", "file", "absent"):
        remove_tree(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_says_when_something_may_not_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree" / "busy").mkdir(parents=True)

    def refuse(path: object, *, dir_fd: int | None = None) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(os, "rmdir", refuse)
    with pytest.raises(PermissionError):
        remove_tree(tmp_path / "tree")
