"""Power cuts on XFS, the strict judge: an unflushed rename leaves an empty file."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.framework.crashing import IS_FULL
from tests.framework.repos import AUTHOR, commit_beside, commit_files, make_repository
from workers.changes.diffs import diff
from workers.changes.errors import ChangeError
from workers.changes.files import WorkspaceFiles
from workers.changes.hunks import Choice
from workers.changes.landing import execute, prepare, recover_landing
from workers.changes.transaction import StateTransaction, recover

CUTS = 20 if IS_FULL else 4


class Disk:
    """An XFS in a file, that can lose its power."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place = folder / "image", folder / "mount"
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(320 << 20)
        subprocess.run(["mkfs.xfs", "-q", str(self.image)], check=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.place)], check=True)

    def umount(self) -> None:
        """Take the disk away; a sandbox that started meanwhile may hold the mount a little longer."""
        subprocess.run(["umount", str(self.place)], check=True)
        deadline = time.monotonic() + 20
        while subprocess.run(["losetup", "-j", str(self.image)], capture_output=True, check=True).stdout:
            assert time.monotonic() < deadline, "somebody else holds the disk"
            time.sleep(0.02)

    def cut_power(self, flags: str = "") -> None:
        subprocess.run(["xfs_io", "-x", "-c", f"shutdown{flags}", str(self.place)], check=True)
        self.umount()
        self.mount()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    try:
        yield disk
    finally:
        disk.umount()


def save(disk: Disk, content: dict[str, bytes | None], label: str = "save") -> None:
    with StateTransaction(disk.place / "files", disk.place / "vault", label=label) as tx:
        for path, data in content.items():
            if data is None:
                tx.delete(path, is_pruned=True)
            else:
                tx.write(path, data)


def content_of(disk: Disk) -> dict[str, bytes]:
    files = WorkspaceFiles(disk.place / "files")
    return {entry.path: files.read(entry.path).data for entry in files.walk() if entry.kind == "file"}


def test_a_plain_rename_does_lose_its_file_here(disk: Disk) -> None:
    """The judge is judged: without a journal the same cut destroys what was saved."""
    target = disk.place / "file"
    target.write_bytes(b"old" * 1000)
    os.sync()
    (disk.place / "new").write_bytes(b"new" * 1000)
    (disk.place / "new").rename(target)
    subprocess.run(["xfs_io", "-x", "-c", "shutdown -f", str(disk.place)], check=True)
    disk.umount()
    disk.mount()
    assert target.read_bytes() != b"new" * 1000


def move_something(disk: Disk, model: dict[str, bytes], rng: random.Random) -> None:
    """Move a file, or a folder with all that is in it, to a name that nothing has."""
    source = rng.choice(sorted({*model, *(path.rpartition("/")[0] for path in model)} - {""}))
    target = f"moved{rng.randrange(10**9)}"
    with StateTransaction(disk.place / "files", disk.place / "vault", label="move") as tx:
        tx.move(source, target)
    for path in [each for each in model if each == source or each.startswith(source + "/")]:
        model[target + path[len(source) :]] = model.pop(path)


@pytest.mark.storm
@pytest.mark.timeout(900 if IS_FULL else 60)
@pytest.mark.parametrize("flags", ["", " -f"], ids=["log lost", "log flushed, data lost"])
def test_nothing_acknowledged_is_lost_and_nothing_is_torn(disk: Disk, flags: str) -> None:
    rng = random.Random(11)
    (disk.place / "files").mkdir()
    os.sync()
    model: dict[str, bytes] = {}
    saves = 0
    for cut in range(CUTS):
        for _ in range(rng.randrange(1, 12)):
            change: dict[str, bytes | None] = {
                f"d{rng.randrange(3)}/f{rng.randrange(6)}": rng.randbytes(rng.choice([0, 10, 9000, 300_000]))
                for _ in range(rng.randrange(1, 7))
            }
            if model and rng.random() < 0.4:
                change[rng.choice(sorted(model))] = None
            save(disk, change, label=f"cut {cut}")
            saves += 1
            for path, data in change.items():
                if data is None:
                    model.pop(path)
                else:
                    model[path] = data
            if rng.random() < 0.3:
                move_something(disk, model, rng)
        subprocess.run(["xfs_io", "-x", "-c", f"shutdown{flags}", str(disk.place)], check=True)
        with pytest.raises((ChangeError, OSError)):
            save(disk, {"never": b"acknowledged"})
        disk.umount()
        disk.mount()
        recover(disk.place / "files", disk.place / "vault")
        assert content_of(disk) == model
    print(f"{saves} saves, {CUTS} power cuts, 0 lost, 0 torn")


def test_a_move_survives_with_its_content(disk: Disk) -> None:
    (disk.place / "files").mkdir()
    os.sync()
    save(disk, {"a/x": b"x" * 5000, "b": b"b" * 400_000})
    with StateTransaction(disk.place / "files", disk.place / "vault", label="move") as tx:
        tx.move("a", "moved/here")
        tx.move("b", "c")
        tx.make_dir("empty/folder")
    disk.cut_power()
    recover(disk.place / "files", disk.place / "vault")
    assert content_of(disk) == {"moved/here/x": b"x" * 5000, "c": b"b" * 400_000}
    assert (disk.place / "files/empty/folder").is_dir()


@pytest.mark.storm
@pytest.mark.timeout(900 if IS_FULL else 90)
@pytest.mark.parametrize("flags", ["", " -f"], ids=["log lost", "log flushed, data lost"])
def test_a_landing_and_a_commit_survive_with_index_and_checkout(disk: Disk, flags: str) -> None:
    repository = make_repository(disk.place, {f"f{number}": b"line\n" * 30 for number in range(8)})
    os.sync()
    for cut in range(CUTS):
        base = repository.head()
        change: dict[str, bytes | None] = {f"f{number}": b"cut %d\n" % cut * 40 for number in range(5)}
        change |= {f"new{cut}/x": bytes(range(256)) * (cut + 1)}
        files = diff(repository, base, commit_beside(repository, change))
        accepted = [Choice(hunk.key) for file in files for hunk in file.hunks]
        ready = prepare(repository, base=base, files=files, accepted=accepted, message="Land", author=AUTHOR)
        assert execute(repository, ready, "land") == ready.commit
        by_hand = commit_files(repository, {"by hand": b"%d\n" % cut})
        assert by_hand == repository.head()
        disk.cut_power(flags)
        assert recover_landing(repository, ready) == "landed"
        assert repository.head() == by_hand
        assert repository.status() == []
        assert repository.files.read("f0").data == b"cut %d\n" % cut * 40
        assert repository.bare.run("fsck", "--strict", "--no-dangling") == b""
