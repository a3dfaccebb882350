"""A full disk and a failing disk: the old content stays, and everything works again afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.framework.crashing import snapshot_of
from tests.framework.repos import AUTHOR, make_repository
from workers.changes.errors import StorageFailed, StorageFull
from workers.changes.files import WorkspaceFiles
from workers.changes.transaction import StateTransaction, recover

DISK_BYTES = 12 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def write(root: Path, path: str, data: bytes) -> None:
    with StateTransaction(root / "files", root / "vault", label="test") as tx:
        tx.write(path, data)


def fill(place: Path) -> Path:
    """Take every byte that is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
        try:
            while True:
                file.write(b"x")
        except OSError:
            return filler


@pytest.mark.parametrize("size", [1 << 10, 200 << 10, 1 << 20], ids=["1 KB", "200 KB", "1 MB"])
def test_a_full_disk_refuses_and_keeps_the_old_content(small_disk: Path, size: int) -> None:
    (small_disk / "files").mkdir()
    old = os.urandom(1 << 20)
    write(small_disk, "file", old)
    write(small_disk, "other", b"other")
    filler = fill(small_disk)
    before = snapshot_of(small_disk / "files")
    for _ in range(3):
        tx = StateTransaction(small_disk / "files", small_disk / "vault", label="test")
        tx.write("file", os.urandom(size))
        tx.write("new", os.urandom(size))
        with pytest.raises(StorageFull) as caught:
            tx.commit()
        assert caught.value.code == "storage_full" and caught.value.retryable
        assert snapshot_of(small_disk / "files") == before
        assert WorkspaceFiles(small_disk / "files").read("file").data == old
    filler.unlink()
    write(small_disk, "file", b"space again")
    assert WorkspaceFiles(small_disk / "files").read("file").data == b"space again"


def test_deleting_works_on_a_full_disk_and_makes_room(small_disk: Path) -> None:
    (small_disk / "files").mkdir()
    write(small_disk, "folder/large", os.urandom(3 << 20))
    write(small_disk, "small", b"x" * 1000)
    fill(small_disk)
    with StateTransaction(small_disk / "files", small_disk / "vault", label="test") as tx:
        tx.delete("folder")
    assert not WorkspaceFiles(small_disk / "files").exists("folder")
    with StateTransaction(small_disk / "files", small_disk / "vault", label="test") as tx:
        tx.delete("small")
    write(small_disk, "after", os.urandom(1 << 20))


def test_every_amount_of_free_space_is_all_or_nothing(small_disk: Path) -> None:
    """Whatever step meets the full disk, the tree is whole; a fixed walk through how much is left."""
    (small_disk / "files").mkdir()
    filler = small_disk / "filler"
    ends = set()
    for left in (0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 512, 2048):
        filler.unlink(missing_ok=True)
        write(small_disk, "a", b"old" * 9000)
        write(small_disk, "b/c", b"old" * 9000)
        before = snapshot_of(small_disk / "files")
        fill(small_disk)
        os.truncate(filler, max(0, filler.stat().st_size - left * 1024))
        try:
            with StateTransaction(small_disk / "files", small_disk / "vault", label="test") as tx:
                tx.write("a", b"new" * 9000)
                tx.write("b/c", os.urandom(300_000 if left > 500 else 9000))
                tx.write(f"d/{left}", b"new" * 9000)
        except StorageFull:
            ends.add("old")
            assert snapshot_of(small_disk / "files") == before
        else:
            ends.add("new")
            assert WorkspaceFiles(small_disk / "files").read(f"d/{left}").data == b"new" * 9000
    assert ends == {"old", "new"}


def test_a_repository_on_a_full_disk_refuses_and_goes_on_later(small_disk: Path) -> None:
    repository = make_repository(small_disk, {"a": b"a\n"})
    write(repository.root, "big", os.urandom(2 << 20))
    head = repository.head()
    filler = fill(small_disk)
    with pytest.raises(StorageFull):
        repository.stage([""])
    assert repository.head() == head
    filler.unlink()
    repository.stage([""])
    assert repository.commit("Later", author=AUTHOR) == repository.head() != head


CHILD = """
import os, sys
from pathlib import Path
from workers.changes.errors import ChangeError
from workers.changes.transaction import StateTransaction
root = Path(sys.argv[1])
try:
    with StateTransaction(root / "files", root / "vault", label="child") as tx:
        tx.write("a", b"new a" * 100)
        tx.write("large", bytes(range(256)) * 2000)
        tx.delete("gone")
        tx.write("deep/er/new", b"new")
except ChangeError as error:
    os._exit({"storage_full": 10, "storage_failed": 11}[error.code])
os._exit(0)
"""
OUTCOMES = {0: "done", 10: "storage_full", 11: "storage_failed"}


@pytest.mark.parametrize(
    ("call", "error", "code"),
    [
        ("fdatasync", "EIO", "storage_failed"),
        ("fsync", "EIO", "storage_failed"),
        ("pwrite64", "EIO", "storage_failed"),
        ("write", "ENOSPC", "storage_full"),
        ("rename,renameat,renameat2", "EIO", "storage_failed"),
        ("rename,renameat,renameat2", "ENOSPC", "storage_full"),
        ("mkdir,mkdirat", "ENOSPC", "storage_full"),
        ("fallocate", "ENOSPC", "storage_full"),
    ],
)
def test_a_failing_disk_means_no_acknowledgement_and_no_change(
    tmp_path: Path, call: str, error: str, code: str
) -> None:
    """Each call fails at its first, second, ... turn below this workspace, until the change goes through."""
    project = Path(__file__).resolve().parents[3]
    seen = []
    for when in range(1, 8):
        root = tmp_path / f"{when}"
        (root / "files").mkdir(parents=True)
        for name in ("a", "large", "gone"):
            write(root, name, b"old " + name.encode())
        if call == "fallocate":
            shutil.rmtree(root / "vault")  # a vault's first commit reserves its journal
        before = snapshot_of(root / "files")
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
             "-e", f"inject={call}:error={error}:when={when}", sys.executable, "-c", CHILD, str(root)],
            env=dict(os.environ, PYTHONPATH=str(project), PYTHONDONTWRITEBYTECODE="1"),
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        outcome = OUTCOMES.get(done.returncode, done.stderr.decode())
        seen.append(outcome)
        recover(root / "files", root / "vault")
        after = snapshot_of(root / "files")
        if outcome == "done":
            assert after.keys() == {"a", "large", "deep", "deep/er", "deep/er/new"}
            break
        assert outcome == code
        assert after == before
        write(root, "a", b"works again")
    assert seen[0] == code, seen


def test_a_failed_wait_is_an_error_and_never_tried_again_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    write(tmp_path, "a", b"old")
    calls = []

    def fail(fd: int) -> None:
        calls.append(fd)
        raise OSError(5, "injected")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(StorageFailed):
        write(tmp_path, "a", b"new")
    assert WorkspaceFiles(tmp_path / "files").read("a").data == b"old"
    assert len(calls) == 2  # the wait itself, and taking the record back
    monkeypatch.undo()
    assert recover(tmp_path / "files", tmp_path / "vault") == []
    assert WorkspaceFiles(tmp_path / "files").read("a").data == b"old"
