"""A run works on files of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.framework.repos import AUTHOR, commit_beside, make_repository, write_files
from workers.changes.errors import FileMissing, PathRefused, UnknownRevision, WorkspaceExists
from workers.changes.worktrees import AgentWorktree, subset_worktree, sweep_worktrees


def test_starts_from_a_snapshot_and_touches_nobody(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n", "run": b"r\n"})
    write_files(repository, {"a": b"not committed\n"})
    base = repository.snapshot(author=AUTHOR)
    tree = AgentWorktree.create(repository, 7, base)
    assert tree.files.read("a").data == b"not committed\n"
    assert not (tree.path / ".git").exists()
    with tree.transaction("agent") as tx:
        tx.write("a", b"by the agent\n")
        tx.write("new", b"n", mode=0o755)
        tx.delete("run")
    commit = tree.commit("Work")
    assert tree.commit("Nothing new") == commit == tree.head() == repository.ref("refs/agent/runs/7/head")
    assert tree.base() == base
    assert repository.log(limit=1, rev=commit)[0].parents == (base,)
    assert repository.files.read("a").data == b"not committed\n"
    assert repository.branches() == ["main"]
    assert [each.path for each in repository.status()] == ["a"]


def test_restores_an_earlier_commit(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n", "d/x": b"x\n", ".gitignore": b"cache\n"})
    tree = AgentWorktree.create(repository, "r1", repository.head())
    with tree.transaction("one") as tx:
        tx.write("a", b"one\n")
    first = tree.commit("One")
    with tree.transaction("two") as tx:
        tx.delete("d")
        tx.write("d", b"now a file\n")
        tx.write("a", b"two\n")
        tx.write("cache", b"kept\n")
    tree.commit("Two")
    with tree.transaction("loose") as tx:
        tx.write("loose", b"never committed\n")
    tree.restore(first)
    assert tree.head() == first
    assert tree.commit("Same") == first
    assert [entry.path for entry in tree.files.walk()] == ["d", "d/x", ".gitignore", "a", "cache"]
    assert tree.files.read("a").data == b"one\n"


def test_is_found_again_by_another_process_and_removed(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    tree = AgentWorktree.create(repository, "r1", "HEAD")
    (tree.path / "sub").mkdir(mode=0o000)
    with pytest.raises(WorkspaceExists):
        AgentWorktree.create(repository, "r1", "HEAD")
    assert AgentWorktree.open(repository, "r1").head() == repository.head()
    head = tree.head()
    tree.remove()
    tree.remove()
    assert list(repository.worktrees_dir.iterdir()) == []
    assert repository.ref("refs/agent/runs/r1/head") == head
    with pytest.raises(FileMissing):
        AgentWorktree.open(repository, "r1")
    AgentWorktree.create(repository, "r1", "HEAD")


def test_refuses_names_that_are_paths_and_unknown_bases(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    for name in ("", "..", "a/b", ".hidden", "x.index", "a\n"):
        with pytest.raises(PathRefused):
            AgentWorktree.create(repository, name, "HEAD")
    with pytest.raises(UnknownRevision):
        AgentWorktree.create(repository, "r1", "nobody")
    assert not repository.worktrees_dir.exists()


def test_a_link_of_the_agent_is_committed_as_a_link(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"d/a": b"a\n"})
    (tmp_path / "secret").write_bytes(b"host secret")
    tree = AgentWorktree.create(repository, "r1", "HEAD")
    (tree.path / "link").symlink_to(tmp_path / "secret")
    (tree.path / "d/a").unlink()
    (tree.path / "d").rmdir()
    (tree.path / "d").symlink_to(tmp_path)
    commit = tree.commit("Links")
    assert repository.read_at(commit, "link") == str(tmp_path / "secret").encode()
    assert repository.bare.run("ls-tree", "-r", "--name-only", commit).split() == [b"d", b"link"]
    assert b"host secret" not in repository.bare.run("log", "-p", commit)


def test_gives_a_folder_with_exactly_a_tree(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    commit = commit_beside(repository, {"b": b"b\n"}, modes={"b": "100755"})
    with subset_worktree(repository, repository.tree_of(commit), "check-1") as path:
        assert sorted(each.name for each in path.iterdir()) == ["a", "b"]
        assert (path / "b").stat().st_mode & 0o111
        (path / "made by tests").write_bytes(b"x")
    assert list(repository.worktrees_dir.iterdir()) == []


def test_sweeps_what_ended_processes_left(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    for name in ("kept", "left"):
        AgentWorktree.create(repository, name, "HEAD").transaction("x").commit()
    (repository.worktrees_dir / ".half.partial").mkdir()
    removed = sweep_worktrees(repository, keep={"kept"})
    assert {"left", "left.index", ".half.partial"} <= set(removed)
    assert all(path.name.startswith("kept") for path in repository.worktrees_dir.iterdir())
