"""A workspace's repository: what differs, committing it, branches, and nothing that it can run."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.framework.repos import AUTHOR, commit_files, make_repository, write_files
from workers.changes.diffs import diff
from workers.changes.errors import (
    AccessDenied,
    GitTimeout,
    LandingConflict,
    NothingToCommit,
    PathTaken,
    RefMoved,
    UnknownRevision,
    WorkspaceExists,
)
from workers.changes.git import Git
from workers.changes.opening import Tree, explain
from workers.changes.repository import Author, FileStatus, Repository


def test_starts_with_one_empty_commit(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "w", branch="trunk", author=AUTHOR)
    (first,) = repository.log(limit=5)
    assert (first.author, first.email, first.parents) == (AUTHOR.name, AUTHOR.email, ())
    assert (repository.branch(), repository.branches(), repository.status()) == ("trunk", ["trunk"], [])
    assert not (repository.files_dir / ".git").exists()
    with pytest.raises(WorkspaceExists):
        Repository.create(tmp_path / "w", author=AUTHOR)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w"]


def test_stages_and_commits_only_what_was_chosen(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n", "gone": b"g\n", "d/x": b"x\n"})
    write_files(repository, {"a": b"changed\n", "gone": None, "d/x": b"changed\n", "d/new": b"n\n"})
    assert repository.status() == [
        FileStatus("a", ".", "M"), FileStatus("d/x", ".", "M"), FileStatus("gone", ".", "D"),
        FileStatus("d/new", ".", "?"),
    ]  # fmt: skip
    repository.stage(["d", "gone"])
    repository.unstage(["d/x"])
    assert {(each.path, each.index) for each in repository.status() if each.index != "."} == {
        ("d/new", "A"),
        ("gone", "D"),
    }
    commit = repository.commit(
        "Part\n\nWhy.", author=AUTHOR, trailers=[("Run", "7"), ("Accepted-by", "Ann\nEvil: x")]
    )
    message = repository.bare.run("log", "-1", "--format=%B", commit).decode().strip()
    assert message == "Part\n\nWhy.\n\nRun: 7\nAccepted-by: Ann Evil: x"
    assert [each.path for each in repository.status()] == ["a", "d/x"]
    with pytest.raises(NothingToCommit):
        repository.commit("Nothing", author=AUTHOR)


def test_keeps_odd_names_modes_links_and_line_ends(tmp_path: Path) -> None:
    repository = make_repository(tmp_path)
    with repository.transaction("test") as tx:
        tx.write("n\udcff\n<img onerror=x>", b"\xff\r\n", mode=0o755)
        tx.symlink("link", "/etc/passwd")
        tx.write(".gitattributes", b"* text=auto eol=lf filter=evil ident\n")
        tx.write("crlf", b"$Id$\r\n")
    repository.stage([""])
    commit = repository.commit("Odd", author=AUTHOR)
    listed = repository.bare.run("ls-tree", "-r", "-z", commit).split(b"\0")
    assert [line.split(b"\t")[0][:6] + b" " + line.split(b"\t")[1] for line in listed if line] == [
        b"100644 .gitattributes", b"100644 crlf", b"120000 link", b"100755 n\xff\n<img onerror=x>",
    ]  # fmt: skip
    assert repository.read_at(commit, "crlf") == b"$Id$\r\n"
    assert repository.read_at(commit, "link") == b"/etc/passwd"
    assert repository.status() == []


def test_ignored_files_are_left_out_unless_named(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {".gitignore": b"*.log\n"})
    write_files(repository, {"x.log": b"1", "y.log": b"2", "z": b"3"})
    assert [each.path for each in repository.status()] == ["z"]
    repository.stage(["", "x.log"])
    assert [each.path for each in repository.status()] == ["x.log", "z"]


def test_a_snapshot_holds_everything_and_moves_nothing(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n", "b": b"b\n"})
    head = repository.head()
    assert repository.snapshot(author=AUTHOR) == head
    write_files(repository, {"a": b"edited\n", "b": None, "new": b"new\n"})
    repository.stage(["a"])
    before = repository.status(), repository.index_path.read_bytes(), repository.branches()
    snapshot = repository.snapshot(author=AUTHOR)
    assert (repository.status(), repository.index_path.read_bytes(), repository.branches()) == before
    assert repository.head() == head
    assert repository.read_at(snapshot, "a") == b"edited\n"
    assert repository.read_at(snapshot, "new") == b"new\n"
    with pytest.raises(UnknownRevision):
        repository.read_at(snapshot, "b")
    assert not list(repository.root.glob("tmp-index*"))


def test_switching_branches_carries_edits_or_refuses(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"main\n", "same": b"s\n"})
    repository.switch_branch("feature/x", create=True)
    commit_files(repository, {"a": b"feature\n", "only": b"o\n"})
    write_files(repository, {"same": b"edited\n", "untracked": b"u\n"})
    repository.stage(["same"])
    repository.switch_branch("main")
    assert repository.files.read("a").data == b"main\n"
    assert not repository.files.exists("only")
    assert repository.status() == [FileStatus("same", "M", "."), FileStatus("untracked", ".", "?")]
    write_files(repository, {"a": b"mine\n"})
    with pytest.raises(LandingConflict) as caught:
        repository.switch_branch("feature/x")
    assert caught.value.facts["paths"] == ["a"]
    assert (repository.branch(), repository.files.read("a").data) == ("main", b"mine\n")
    assert repository.branches() == ["feature/x", "main"]
    with pytest.raises(PathTaken):
        repository.switch_branch("main", create=True)
    for name in ("nobody", "-x", "a..b", "a b", "../x", "x.lock", "HEAD:x", "@{-1}"):
        with pytest.raises(UnknownRevision):
            repository.switch_branch(name)


def test_an_untracked_file_in_the_way_is_never_overwritten(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    repository.switch_branch("other", create=True)
    commit_files(repository, {"fresh": b"theirs\n"})
    repository.switch_branch("main")
    write_files(repository, {"fresh": b"mine\n"})
    with pytest.raises(LandingConflict):
        repository.switch_branch("other")
    assert repository.files.read("fresh").data == b"mine\n"


def test_history_of_a_file_follows_its_rename(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"old": b"text\n" * 20}, message="Make it")
    commit_files(repository, {"old": None, "new": b"text\n" * 20}, message="Move it")
    commit_files(repository, {"other": b"x"}, message="Other")
    assert [each.subject for each in repository.log("new", limit=9)] == ["Move it", "Make it"]
    assert [each.subject for each in repository.log(limit=2, skip=1)] == ["Move it", "Make it"]


def test_refs_move_only_from_where_they_are_expected(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a"})
    head = repository.head()
    other = commit_files(repository, {"a": b"b"})
    repository.update_ref("refs/agent/4/1", head, None)
    with pytest.raises(RefMoved) as caught:
        repository.update_ref("refs/agent/4/1", other, None)
    assert caught.value.facts["found"] == head
    with pytest.raises(RefMoved):
        repository.update_ref("refs/agent/4/1", other, other)
    repository.update_ref("refs/agent/4/1", other, head)
    assert repository.ref("refs/agent/4/1") == other
    assert repository.branches() == ["main"]


@pytest.mark.parametrize(
    "rev", ["", "-x", "--all", "nobody", ":/Add", "HEAD~99", "a b", "\n", "HEAD:a", "@{-1}"]
)
def test_refuses_what_is_no_revision(tmp_path: Path, rev: str) -> None:
    repository = make_repository(tmp_path, {"a": b"a"})
    with pytest.raises(UnknownRevision):
        repository.resolve(rev)


def test_runs_nothing_that_a_repository_names(tmp_path: Path) -> None:
    """Hooks, filters, a file monitor, an editor and a pager would each leave a mark."""
    repository = make_repository(tmp_path, {"a": b"a\n"})
    mark = tmp_path / "mark"
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\necho $0 >> {mark}\ncat\n")
    script.chmod(0o755)
    hooks = repository.git_dir / "hooks"
    hooks.mkdir()
    for name in (
        "pre-commit",
        "post-checkout",
        "reference-transaction",
        "post-index-change",
        "fsmonitor-watchman",
    ):
        (hooks / name).write_text(script.read_text())
        (hooks / name).chmod(0o755)
    for setting in (
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "diff.external",
        "core.sshCommand",
        "credential.helper",
    ):
        subprocess.run(["git", "-C", repository.git_dir, "config", setting, str(script)], check=True)
    for setting in ("filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv", "diff.evil.command"):
        subprocess.run(["git", "-C", repository.git_dir, "config", setting, str(script)], check=True)
    write_files(repository, {".gitattributes": b"* filter=evil diff=evil\n", "a": b"b\n"})
    repository.stage([""])
    commit = repository.commit("Evil", author=AUTHOR)
    repository.switch_branch("x", create=True)
    repository.snapshot(author=AUTHOR)
    repository.log("a", limit=3)
    assert len(diff(repository, f"{commit}^", commit)) == 2
    list(repository.archive(commit, "zip"))
    assert not mark.exists()


def test_a_repository_inside_the_files_stays_out(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    inner = repository.files_dir / "inner"
    subprocess.run(["git", "init", "-q", str(inner)], check=True)
    (inner / "file").write_bytes(b"x")
    subprocess.run(["git", "init", "-q", str(repository.files_dir)], check=True)
    repository.stage([""])
    assert b".git" not in repository.git.run("ls-files", "-z")


def test_git_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    with pytest.raises(GitTimeout):
        repository.bare.run("-c", "alias.hang=!sleep 60", "hang", timeout_s=0.4)
    left = subprocess.run(["pgrep", "-f", "sleep 6[0]$"], capture_output=True, check=False).stdout
    assert left == b""


def test_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_SECRET_KEY", "canary-value")
    monkeypatch.setenv("GIT_DIR", "/somewhere/else")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/somewhere/else")
    repository = make_repository(tmp_path, {"a": b"a\n"})
    assert "canary-value" not in repository.git.environment().values()
    assert not {"GIT_EDITOR", "PYAGENT_SECRET_KEY"} & repository.git.environment().keys()
    seen = repository.bare.run("-c", "alias.seen=!env", "seen").decode()
    assert "canary" not in seen and "/somewhere" not in seen


def test_authors_cannot_break_a_commit(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    write_files(repository, {"a": b"b\n"})
    repository.stage(["a"])
    repository.commit("x", author=Author("Eve <evil>\ncommitter X", ""))
    (info,) = repository.log(limit=1)
    assert (info.author, info.email) == ("Eve evilcommitter X", "unknown@localhost")


def test_large_files_go_in_without_being_held_in_memory(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    with (repository.files_dir / "large").open("wb") as file:
        for _ in range(100):
            file.write(os.urandom(1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    repository.stage([""])
    repository.commit("Large", author=AUTHOR)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 << 10
    assert Git(repository.git_dir).run("fsck", "--strict") == b""


def test_a_lock_that_a_killed_git_left_blocks_nobody(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n"})
    write_files(repository, {"a": b"b\n"})
    (repository.root / "index.lock").write_bytes(b"")
    (repository.git_dir / "refs/heads/main.lock").write_bytes(b"")
    repository.stage(["a"])
    repository.commit("After", author=AUTHOR)
    assert repository.status() == []


def test_what_may_not_be_read_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path, {"a": b"a\n", "b": b"b\n"})
    write_files(repository, {"a": b"changed\n", "b": b"changed\n"})
    real = Tree.open

    def refuse(self: Tree, path: str, flags: int, mode: int = 0) -> int:
        if path == "a":
            raise explain(PermissionError(13, "Permission denied"), path)
        return real(self, path, flags, mode)

    monkeypatch.setattr(Tree, "open", refuse)
    with pytest.raises(AccessDenied):
        repository.files.read("a")
    repository.stage([""])
    commit = repository.commit("Only b", author=AUTHOR)
    assert repository.read_at(commit, "a") == b"a\n" and repository.read_at(commit, "b") == b"changed\n"
