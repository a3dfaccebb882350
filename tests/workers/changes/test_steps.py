"""Doing steps and taking them back, also where names cannot be exchanged."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.framework.crashing import snapshot_of
from workers.changes.errors import BackupDamaged, StorageFailed
from workers.changes.files import WorkspaceFiles, version_of
from workers.changes.transaction import StateTransaction
from workers.changes.vault import Vault


class Place:
    """Files and vault of one workspace."""

    def __init__(self, root: Path) -> None:
        self.files, self.vault = root / "files", root / "vault"
        self.files.mkdir()

    def change(self) -> StateTransaction:
        return StateTransaction(self.files, self.vault, label="test")

    def write(self, path: str, data: bytes) -> None:
        with self.change() as tx:
            tx.write(path, data)

    def read(self, path: str) -> bytes:
        return WorkspaceFiles(self.files).read(path).data


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def cannot_exchange(*_: object) -> None:
    raise OSError(errno.EINVAL, "this file system cannot exchange names")


def test_works_where_names_cannot_be_exchanged(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.changes.steps.exchange", cannot_exchange)
    place.write("a", b"a")
    place.write("b", b"b")
    with place.change() as tx:
        tx.write("a", b"new a", expected=version_of(b"a"))
        tx.symlink("b", "a")
    assert place.read("a") == b"new a" and (place.files / "b").is_symlink()
    with place.change() as tx:
        tx.write("b", b"file again")
    assert place.read("b") == b"file again"


@pytest.mark.parametrize("can_exchange", [True, False])
def test_gives_everything_back_when_the_last_step_fails(
    place: Place, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr("workers.changes.steps.exchange", cannot_exchange)
    place.write("a", b"a" * 300_000)
    with place.change() as tx:
        tx.symlink("link", "a")
        tx.write("twin", b"a" * 300_000)
        tx.write("dir/x", b"x")
        tx.write("mode", b"m")
    before = snapshot_of(place.files)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "injected")

    monkeypatch.setattr("workers.changes.steps.set_mode", fail)
    with pytest.raises(StorageFailed), place.change() as tx:
        tx.delete("dir")
        tx.write("a", b"new")
        tx.write("twin", b"new")
        tx.symlink("link", "elsewhere")
        tx.write("fresh/file", b"new")
        tx.chmod("mode", 0o755)
    assert snapshot_of(place.files) == before


def test_a_backup_whose_bytes_have_changed_is_not_given_back(place: Place) -> None:
    place.write("a", b"old")
    place.write("a", b"new")
    vault = Vault(place.files, place.vault)
    try:
        vault.open_object(version_of(b"old")).close()
        vault.object_path(version_of(b"old")).write_bytes(b"rot")
        with pytest.raises(BackupDamaged):
            vault.open_object(version_of(b"old"))
    finally:
        vault.close()
