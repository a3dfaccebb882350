"""Saving several files as one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.framework.crashing import snapshot_of
from workers.changes import journal
from workers.changes.errors import (
    FileMissing,
    NotAFile,
    PathRefused,
    PathTaken,
    TransactionRefused,
    VersionConflict,
    WorkspaceBusy,
)
from workers.changes.files import WorkspaceFiles, version_of, version_of_link
from workers.changes.lock import hold_lock
from workers.changes.transaction import ANY, StateTransaction


class Place:
    """Files and vault of one workspace."""

    def __init__(self, root: Path) -> None:
        self.files, self.vault = root / "files", root / "vault"
        self.files.mkdir()

    def change(self, label: str = "test", **options: float) -> StateTransaction:
        return StateTransaction(self.files, self.vault, label=label, **options)

    def write(self, path: str, data: bytes) -> None:
        with self.change() as tx:
            tx.write(path, data)

    def read(self, path: str) -> bytes:
        return WorkspaceFiles(self.files).read(path).data


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_does_every_kind_of_change_at_once(place: Place) -> None:
    for path in ("over", "gone", "moved", "mode", "folder/x"):
        place.write(path, b"old")
    with place.change() as tx:
        tx.write("a/b/new", b"new", expected=None)
        tx.write("over", b"new", expected=version_of(b"old"))
        tx.delete("gone", expected=version_of(b"old"))
        tx.move("moved", "elsewhere/there")
        tx.chmod("mode", 0o755)
        tx.delete("folder")
        tx.make_dir("empty/folder")
        tx.symlink("link", "over")
    assert sorted(entry.path for entry in WorkspaceFiles(place.files).walk()) == [
        "a", "a/b", "a/b/new", "elsewhere", "elsewhere/there", "empty", "empty/folder", "link", "mode", "over",
    ]  # fmt: skip
    assert WorkspaceFiles(place.files).read("mode").mode == 0o755
    assert (place.files / "link").readlink() == Path("over")
    assert set(tx.changed) == {
        "a/b/new",
        "over",
        "gone",
        "moved",
        "elsewhere/there",
        "mode",
        "folder",
        "link",
    }
    assert list((place.vault / "trash").iterdir()) == []
    assert list((place.vault / "stage").iterdir()) == []


def test_an_exception_inside_changes_nothing(place: Place) -> None:
    with pytest.raises(ZeroDivisionError), place.change() as tx:
        tx.write("a", b"x")
        raise ZeroDivisionError
    assert not (place.files / "a").exists()


@pytest.mark.parametrize("expected", [None, version_of(b"older")])
def test_refuses_to_save_over_a_newer_version(place: Place, expected: str | None) -> None:
    place.write("a", b"theirs")
    place.write("b", b"b")
    with pytest.raises(VersionConflict) as caught, place.change() as tx:
        tx.write("b", b"changed")
        tx.write("a", b"mine", expected=expected)
    error = caught.value
    assert (error.path, error.expected, error.found) == ("a", expected, version_of(b"theirs"))
    assert (place.read("a"), place.read("b")) == (b"theirs", b"b")


def test_says_that_the_file_is_gone_when_it_is(place: Place) -> None:
    with pytest.raises(VersionConflict) as caught, place.change() as tx:
        tx.write("a", b"mine", expected=version_of(b"seen"))
    assert caught.value.found is None


def test_a_link_has_a_version_that_no_file_has(place: Place) -> None:
    with place.change() as tx:
        tx.symlink("link", "target")
    with pytest.raises(VersionConflict) as caught, place.change() as tx:
        tx.write("link", b"x", expected=version_of(b"target"))
    assert caught.value.found == version_of_link(b"target")
    with place.change() as tx:
        tx.write("link", b"x", expected=version_of_link(b"target"))
    assert not (place.files / "link").is_symlink()


def test_notices_a_writer_that_takes_no_lock(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal writes `b` after it was checked, in the middle of the commit."""
    place.write("a", b"a")
    place.write("b", b"b")
    real = journal.Journal.append_transaction

    def write_meanwhile(self: journal.Journal, payload: bytes) -> int:
        (place.files / "b").write_bytes(b"from the terminal")
        return real(self, payload)

    monkeypatch.setattr(journal.Journal, "append_transaction", write_meanwhile)
    with pytest.raises(VersionConflict) as caught, place.change() as tx:
        tx.write("a", b"new a")
        tx.write("b", b"new b")
    assert caught.value.found == version_of(b"from the terminal")
    assert (place.read("a"), place.read("b")) == (b"a", b"from the terminal")


def test_notices_a_file_that_appears_meanwhile(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    real = journal.Journal.append_transaction

    def write_meanwhile(self: journal.Journal, payload: bytes) -> int:
        (place.files / "fresh").write_bytes(b"theirs")
        return real(self, payload)

    monkeypatch.setattr(journal.Journal, "append_transaction", write_meanwhile)
    with pytest.raises(VersionConflict), place.change() as tx:
        tx.write("fresh", b"mine", expected=None)
    assert place.read("fresh") == b"theirs"


def test_swaps_files_and_folders(place: Place) -> None:
    place.write("file", b"f")
    place.write("folder/inside", b"i")
    with place.change() as tx:
        tx.delete("file", is_pruned=True)
        tx.write("file/inside", b"now below")
        tx.delete("folder/inside", is_pruned=True)
        tx.write("folder", b"now a file")
    assert (place.read("file/inside"), place.read("folder")) == (b"now below", b"now a file")


def test_prunes_only_folders_that_become_empty(place: Place) -> None:
    place.write("a/b/c", b"1")
    place.write("a/kept", b"2")
    with place.change() as tx:
        tx.delete("a/b/c", is_pruned=True)
    assert (place.files / "a").exists() and not (place.files / "a/b").exists()


@pytest.mark.parametrize(
    "path",
    ["", "/etc/x", "../x", "a/../x", "a//b", "./a", "a/", "a\0b", ".git/config", "A/.GIT/x", "x" * 300],
)
def test_refuses_paths_that_are_not_plain(place: Place, path: str) -> None:
    with pytest.raises(PathRefused):
        place.change().write(path, b"x")


def test_never_writes_through_a_link(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_bytes(b"safe")
    (place.files / "way").symlink_to(outside)
    (place.files / "victim").symlink_to(outside / "victim")
    with pytest.raises(PathRefused):
        place.write("way/victim", b"evil")
    with pytest.raises(PathRefused), place.change() as tx:
        tx.delete("way/victim")
    with pytest.raises(NotAFile), place.change() as tx:
        tx.chmod("victim", 0o777)
    place.write("victim", b"replaces the link itself")
    with place.change() as tx:
        tx.delete("way")
    assert list(snapshot_of(outside)) == ["victim"]
    assert (outside / "victim").read_bytes() == b"safe"
    assert place.read("victim") == b"replaces the link itself"


def test_refuses_what_contradicts_itself(place: Place) -> None:
    place.write("a/x", b"1")
    with pytest.raises(TransactionRefused), place.change() as tx:
        tx.move("a", "b")
        tx.write("a/x", b"2")
    with pytest.raises(TransactionRefused), place.change() as tx:
        tx.move("a", "a/b")
    with pytest.raises(PathTaken), place.change() as tx:
        tx.write("a", b"a folder is there")
    with pytest.raises(PathTaken), place.change() as tx:
        tx.write("a/x/y", b"a file is there")
    with pytest.raises(FileMissing), place.change() as tx:
        tx.delete("nothing")
    with pytest.raises(FileMissing), place.change() as tx:
        tx.move("nothing", "else")
    place.write("b", b"b")
    with pytest.raises(PathTaken), place.change() as tx:
        tx.move("a/x", "b")
    assert place.read("a/x") == b"1" and place.read("b") == b"b"


def test_the_last_wish_for_a_path_counts(place: Place) -> None:
    place.write("a", b"first")
    with place.change() as tx:
        tx.write("a", b"second", expected=version_of(b"first"))
        tx.write("a", b"third")
        tx.chmod("a", 0o700)
    assert place.read("a") == b"third"
    assert (place.files / "a").stat().st_mode & 0o777 == 0o700


def test_takes_large_content_as_a_stream(place: Place, tmp_path: Path) -> None:
    data = os.urandom(5 << 20)
    (tmp_path / "source").write_bytes(data)
    with (tmp_path / "source").open("rb") as source, place.change() as tx:
        tx.write("large", source)
    assert place.read("large") == data


def test_an_unchanged_file_is_no_change(place: Place) -> None:
    place.write("a", b"same")
    inode = (place.files / "a").stat().st_ino
    with place.change() as tx:
        tx.write("a", b"same", expected=ANY)
    assert tx.changed == () and (place.files / "a").stat().st_ino == inode


def test_writers_take_turns_and_none_is_lost(place: Place) -> None:
    place.write("counter", b"0")
    conflicts = []

    def add(times: int) -> None:
        for _ in range(times):
            while True:
                seen = WorkspaceFiles(place.files).read("counter")
                try:
                    with place.change() as tx:
                        tx.write("counter", str(int(seen.data) + 1).encode(), expected=seen.version)
                    break
                except VersionConflict:
                    conflicts.append(1)

    threads = [threading.Thread(target=add, args=(12,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert place.read("counter") == b"48"


def test_says_when_somebody_holds_the_workspace_too_long(place: Place) -> None:
    place.write("a", b"a")
    tx = place.change(timeout_s=0.05)
    tx.write("a", b"b")
    with hold_lock(place.vault / "lock"), pytest.raises(WorkspaceBusy) as caught:
        tx.commit()
    assert caught.value.retryable


def test_forgets_old_backups_at_a_checkpoint(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.changes.vault.BACKUP_LIMIT_BYTES", 1 << 20)
    for number in range(5):
        place.write("a", bytes([number]) * (400 << 10))
    kept = sum(path.stat().st_size for path in place.vault.rglob("*") if path.is_file())
    assert kept < 3 << 20
    assert place.read("a") == bytes([4]) * (400 << 10)
