"""Letting go of a journal loses nothing that was acknowledged."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from tests.framework.crashing import count_points, ends_itself
from workers.changes import journal
from workers.changes.transaction import StateTransaction, recover


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "files").mkdir()
    monkeypatch.setattr("workers.changes.vault.JOURNAL_LIMIT_BYTES", 4096)  # a checkpoint after every commit
    return tmp_path


def change(root: Path, number: int = 1) -> None:
    with StateTransaction(root / "files", root / "vault", label=f"save {number}") as tx:
        tx.write("a", b"%d" % number * 3000)
        tx.write(f"folder {number}/b", b"b")


def records(root: Path) -> int:
    opened = journal.Journal(root / "vault/journal")
    try:
        return len(list(opened.scan()))
    finally:
        opened.close()


def test_empties_journal_and_backups_after_the_files_are_on_disk(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    real = os.fsync

    def note(fd: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{fd}").readlink().relative_to(root.resolve()).as_posix())
        real(fd)

    change(root)
    monkeypatch.setattr(os, "fsync", note)
    change(root, 2)
    assert records(root) == 0 and list((root / "vault/objects").iterdir()) == []
    assert {"files/a", "files/folder 2/b", "files", "files/folder 2"} <= set(flushed)
    assert flushed.index("files/a") < flushed.index("vault/journal")


def test_a_file_that_was_moved_is_flushed_under_its_new_name(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.changes.vault.JOURNAL_LIMIT_BYTES", 1 << 20)
    change(root)
    with StateTransaction(root / "files", root / "vault", label="move") as tx:
        tx.move("a", "moved")
        tx.move("folder 1", "other/folder")
    flushed: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: flushed.append(str(Path(f"/proc/self/fd/{fd}").readlink())))
    monkeypatch.setattr("workers.changes.vault.JOURNAL_LIMIT_BYTES", 1)
    with StateTransaction(root / "files", root / "vault", label="last") as tx:
        tx.write("c", b"c")
    names = {Path(path).relative_to(root.resolve()).as_posix() for path in flushed}
    assert {"files/moved", "files/other/folder/b", "files/c", "files/other"} <= names


def test_a_file_whose_flush_fails_is_written_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed flush the same pages may read as good and be gone after the next start, so they are not
    trusted."""
    real, failed = os.fsync, []

    def fail_once(fd: int) -> None:
        path = str(Path(f"/proc/self/fd/{fd}").readlink())
        if path.endswith("files/a") and not failed:
            failed.append(os.fstat(fd).st_ino)
            raise OSError(5, "injected")
        real(fd)

    monkeypatch.setattr(os, "fsync", fail_once)
    change(root)
    assert failed and (root / "files/a").stat().st_ino != failed[0]
    assert (root / "files/a").read_bytes() == b"1" * 3000
    assert records(root) == 0


def test_the_journal_stays_while_the_disk_refuses(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(5, "injected")

    change(root)
    monkeypatch.setattr(os, "fsync", fail)
    change(root, 2)  # acknowledged by its journal record
    assert records(root) == 2
    monkeypatch.undo()
    monkeypatch.setattr(journal, "boot_id", lambda: b"another boot".ljust(36))
    (root / "files/a").write_bytes(b"")
    recover(root / "files", root / "vault")
    assert (root / "files/a").read_bytes() == b"2" * 3000


def test_killed_anywhere_in_a_checkpoint_the_files_are_whole_and_work_goes_on(root: Path) -> None:
    change(root)
    total = count_points(partial(change, root, 2))
    before = 2
    for at in range(max(1, total - 16), total + 1):
        assert not ends_itself(partial(change, root, at + 10), at)
        recover(root / "files", root / "vault")
        assert (root / "files/a").read_bytes() in (b"%d" % before * 3000, b"%d" % (at + 10) * 3000)
        is_new = (root / "files/a").read_bytes() == b"%d" % (at + 10) * 3000
        assert (root / f"files/folder {at + 10}/b").exists() == is_new
        before = at + 10 if is_new else before
    assert before == total + 10
    change(root, 99)
    assert (root / "files/a").read_bytes() == b"99" * 3000
