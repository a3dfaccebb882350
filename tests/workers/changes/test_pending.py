"""A landing killed at any point ends landed or rolled back, never between."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.framework.crashing import IS_FULL, count_points, ends_itself, points, snapshot_of
from tests.framework.repos import AUTHOR, commit_beside, make_repository, write_files
from workers.changes.diffs import diff
from workers.changes.errors import GitFailed
from workers.changes.hunks import Choice
from workers.changes.landing import PreparedLanding, execute, prepare, recover_landing
from workers.changes.repository import FileStatus, Repository

FILES = {
    "a": b"a\n" * 50,
    "gone": b"g\n",
    "moved": b"".join(b"m %d\n" % number for number in range(30)),
    "mode": b"m\n",
    "swap": b"s\n",
    "b": b"b\n",
    "beside": b"".join(b"line %d\n" % number for number in range(30)),
}


class Scene:
    """A workspace with edits of a person, and a landing that is ready."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0
        repository = make_repository(folder, FILES, name="template")
        self.old_head = repository.head()
        head = commit_beside(
            repository,
            {"a": b"a\n" * 51, "gone": None, "moved": None, "elsewhere": FILES["moved"], "mode": b"m\n", "swap": None,
             "swap/in": b"i\n", "new": b"\0\1", "link": b"a", "beside": FILES["beside"] + b"landed\n"},
            modes={"mode": "100755", "link": "120000"},
        )  # fmt: skip
        files = diff(repository, self.old_head, head)
        self.ready = prepare(
            repository,
            base=self.old_head,
            files=files,
            accepted=[Choice(hunk.key) for file in files for hunk in file.hunks],
            message="Land",
            author=AUTHOR,
        )
        write_files(
            repository, {"b": b"edited\n", "loose": b"untracked\n", "beside": b"mine\n" + FILES["beside"]}
        )
        repository.stage(["b"])
        self.edits = [
            FileStatus("b", "M", "."),
            FileStatus("beside", ".", "M"),
            FileStatus("loose", ".", "?"),
        ]
        assert repository.status() == self.edits
        self.template = repository.root
        self.old = snapshot_of(repository.files_dir)
        landed = self.fresh()
        execute(landed, self.ready, "land")
        self.new = snapshot_of(landed.files_dir)

    def fresh(self) -> Repository:
        self.number += 1
        return self.copy(self.template)

    def copy(self, root: Path) -> Repository:
        self.number += 1
        target = self.folder / f"copy-{self.number}"
        shutil.copytree(root, target, symlinks=True)
        return Repository(target)

    def judge(self, repository: Repository) -> str:
        end = recover_landing(repository, self.ready)
        assert recover_landing(repository, self.ready) == end
        found = snapshot_of(repository.files_dir)
        assert found == (self.new if end == "landed" else self.old)
        assert repository.head() == (self.ready.commit if end == "landed" else self.old_head)
        assert repository.status() == self.edits
        assert repository.git.run("cat-file", "blob", ":b") == b"edited\n"
        assert not (repository.root / "intent.json").exists()
        shutil.rmtree(repository.root)
        return end


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("landing"))


def land(repository: Repository, ready: PreparedLanding) -> None:
    execute(repository, ready, "land")


@pytest.mark.storm
@pytest.mark.timeout(900 if IS_FULL else 60)
def test_a_killed_landing_is_landed_or_rolled_back(scene: Scene) -> None:
    total = count_points(partial(land, scene.fresh(), scene.ready))
    ends = []
    for at in points(total, 24, seed=6):
        repository = scene.fresh()
        assert not ends_itself(partial(land, repository, scene.ready), at)
        ends.append(scene.judge(repository))
    print(
        f"{len(ends)} of {total} points: {ends.count('landed')} landed, {ends.count('rolled_back')} rolled back"
    )
    assert set(ends) == {"landed", "rolled_back"}


@pytest.mark.storm
@pytest.mark.timeout(1800 if IS_FULL else 60)
def test_a_killed_recovery_of_a_landing_ends_the_same_way(scene: Scene) -> None:
    total = count_points(partial(land, scene.fresh(), scene.ready))
    tried = 0
    for at in points(total, 5, seed=8):
        crashed = scene.fresh()
        assert not ends_itself(partial(land, crashed, scene.ready), at)
        inner = count_points(partial(recover_landing, scene.copy(crashed.root), scene.ready))
        expected = scene.judge(scene.copy(crashed.root))
        for again in points(inner, 4, seed=9):
            repository = scene.copy(crashed.root)
            assert not ends_itself(partial(recover_landing, repository, scene.ready), again)
            assert scene.judge(repository) == expected
            tried += 1
    print(f"{tried} points of recovery, 0 between")
    assert tried >= 15


def test_a_person_who_commits_after_a_crash_finds_it_settled(scene: Scene) -> None:
    """Killed right after the files moved; the next one to touch the repository finishes first."""
    repository = scene.fresh()
    total = count_points(partial(land, scene.copy(repository.root), scene.ready))
    while not ends_itself(partial(land, repository, scene.ready), total):
        if snapshot_of(repository.files_dir) == scene.new and repository.head() == scene.old_head:
            break
        repository, total = scene.fresh(), total - 1
        assert total > 0
    commit = repository.commit("By a person", author=AUTHOR)
    assert repository.log(limit=1)[0].parents == (scene.ready.commit,)
    assert repository.read_at(commit, "b") == b"edited\n"
    assert recover_landing(repository, scene.ready) == "landed"


def test_files_go_back_when_the_branch_cannot_move(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = scene.fresh()

    def refuse(*_: object) -> None:
        raise GitFailed("git update-ref failed: injected", command="update-ref")

    monkeypatch.setattr("workers.changes.pending.update_ref", refuse)
    with pytest.raises(GitFailed):
        land(repository, scene.ready)
    monkeypatch.undo()
    assert scene.judge(repository) == "rolled_back"


def test_an_intent_cut_off_by_a_power_cut_means_that_nothing_moved(scene: Scene) -> None:
    repository = scene.fresh()
    (repository.root / "intent.json").write_bytes(b'{"label": "la')
    assert scene.judge(repository) == "rolled_back"


def test_locks_that_a_killed_git_left_do_not_block(scene: Scene) -> None:
    repository = scene.fresh()
    total = count_points(partial(land, scene.copy(repository.root), scene.ready))
    assert not ends_itself(partial(land, repository, scene.ready), total // 2)
    (repository.root / "index.lock").write_bytes(b"")
    (repository.git_dir / "refs/heads/main.lock").write_bytes(b"")
    scene.judge(repository)
