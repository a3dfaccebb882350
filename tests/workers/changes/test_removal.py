"""Removing what somebody else has filled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.framework.repos import nest_folders
from workers.changes.removal import remove_tree

DEEP = 3000


def test_removes_folders_nested_deeper_than_a_path_may_be_long(tmp_path: Path) -> None:
    (tmp_path / "tree" / "beside").mkdir(parents=True)
    nest_folders(tmp_path / "tree" / "beside", DEEP)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    remove_tree(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_follows_no_link_and_opens_what_nobody_may_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    (tmp_path / "tree" / "closed" / "inner").mkdir(parents=True)
    (tmp_path / "tree" / "closed" / "inner" / "file").write_text("x")
    (tmp_path / "tree" / "out").symlink_to(outside)
    (tmp_path / "tree" / "closed" / "out").symlink_to(outside, target_is_directory=True)
    os.mkfifo(tmp_path / "tree" / "pipe")
    (tmp_path / "tree" / "caf\udce9").mkdir()
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
