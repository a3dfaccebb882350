"""Files that git would wait for without end, or read without end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.framework.repos import AUTHOR, make_repository
from workers.changes.errors import FilesHoldGitUp
from workers.changes.obstacles import StallWatch, find_obstacles
from workers.changes.repository import Repository
from workers.changes.worktrees import AgentWorktree


def _pipe_of_ignored(files: Path) -> str:
    os.mkfifo(files / ".gitignore")
    return ".gitignore"


def _pipe_in_a_nested_repository(files: Path) -> str:
    subprocess.run(["git", "init", "-q", files / "nested"], check=True)
    (files / "nested" / ".git" / "HEAD").unlink()
    os.mkfifo(files / "nested" / ".git" / "HEAD")
    return "nested/.git/HEAD"


def _endless_file_in_a_nested_repository(files: Path) -> str:
    subprocess.run(["git", "init", "-q", files / "nested"], check=True)
    (files / "nested" / ".git" / "commondir").symlink_to("/dev/zero")
    return "nested/.git/commondir"


@pytest.mark.parametrize(
    "prepare", [_pipe_of_ignored, _pipe_in_a_nested_repository, _endless_file_in_a_nested_repository]
)
@pytest.mark.parametrize(
    "act",
    [Repository.status, lambda repository: repository.snapshot(author=AUTHOR)],
    ids=["status", "snapshot"],
)
def test_names_what_holds_git_up(
    tmp_path: Path, prepare: Callable[[Path], str], act: Callable[[Repository], object]
) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    path = prepare(repository.files_dir)
    start = time.monotonic()
    with pytest.raises(FilesHoldGitUp) as held:
        act(repository)
    assert held.value.facts["paths"] == [path]
    assert path in str(held.value)
    assert time.monotonic() - start < 60
    (repository.files_dir / path).unlink()
    act(repository)


def test_an_agent_that_leaves_a_pipe_is_told_so(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    tree = AgentWorktree.create(repository, "r1", "HEAD")
    (tree.path / "a").write_bytes(b"b\n")
    os.mkfifo(tree.path / ".gitattributes")
    os.mkfifo(tree.path / ".gitignore")
    with pytest.raises(FilesHoldGitUp):
        tree.commit("Work")
    assert tree.head() == tree.base()


def test_a_git_that_only_waits_for_us_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pipe").write_text("a file")
    with subprocess.Popen(["sleep", "60"]) as child:
        now = 0.0
        watch = StallWatch(child.pid, tmp_path, clock=lambda: now)
        for _ in range(20):
            now += 1
            watch.look()
        os.mkfifo(tmp_path / "real")
        with pytest.raises(FilesHoldGitUp):
            for _ in range(40):
                now += 1
                watch.look()
        child.kill()


def test_names_the_patterns_that_keep_git_busy(tmp_path: Path) -> None:
    repository = make_repository(
        tmp_path, {"a": b"a\n", ".gitignore": b"*.pyc\n", "sub/.gitignore": b"**/build-*/**\n"}
    )
    folder = repository.files_dir / "sub" / "/".join(["a" * 60] * 10)
    folder.mkdir(parents=True)
    (folder / ("a" * 200)).touch()
    assert [each.path for each in repository.status()] == [f"sub/{'/'.join(['a' * 60] * 10)}/{'a' * 200}"]
    (repository.files_dir / "sub" / ".gitignore").write_text("**/" + "*a" * 40 + "b\n")
    with pytest.raises(FilesHoldGitUp) as held:
        repository.status()
    assert held.value.facts["paths"] == ["sub/.gitignore"]


def test_finds_pipes_and_links_to_devices_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    os.mkfifo(tmp_path / "sub" / "pipe")
    for name, target in (
        ("zero", "/dev/zero"),
        ("null", "/dev/null"),
        ("gone", "nowhere"),
        ("folder", "sub"),
        ("led", "sub/pipe"),
    ):
        (tmp_path / name).symlink_to(target)
    assert find_obstacles(tmp_path, limit=9) == ["led", "sub/pipe", "zero"]
    assert len(find_obstacles(tmp_path, limit=1)) == 1
