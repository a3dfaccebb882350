"""Killed at any change of the disk, a transaction is all old or all new, and so is its recovery.

`PYAGENT_STORM=full` runs every point; otherwise a fixed choice of them.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

from tests.framework.crashing import IS_FULL, count_points, ends_itself, points, snapshot_of
from workers.changes.errors import StorageFailed
from workers.changes.states import Step
from workers.changes.steps import do_step
from workers.changes.transaction import StateTransaction, recover
from workers.changes.vault import Signature, Vault

LARGE = bytes(range(256)) * 1200  # above what travels inside the journal
Tree = dict[str, tuple[str, int, str]]


def make_old_tree(root: Path) -> None:
    """Write a tree with everything that the transaction will touch."""
    files = root / "files"
    for name in (
        "keep",
        "over",
        "gone",
        "moves",
        "mode",
        "folder/a",
        "folder/b",
        "swap",
        "binary",
        "prune/only",
    ):
        path = files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"old {name}\n".encode() * 50)
    (files / "link").symlink_to("keep")
    (root / "vault").mkdir()


def change(root: Path) -> None:
    """Create, overwrite, delete, move, change a mode and a link, write binaries, swap a file for a folder."""
    with StateTransaction(root / "files", root / "vault", label="storm") as tx:
        tx.write("new/deep/file", b"created\n")
        tx.write("over", b"new over\n")
        tx.delete("gone")
        tx.move("moves", "elsewhere/moved")
        tx.chmod("mode", 0o755)
        tx.symlink("link", "over")
        tx.symlink("second", "../out")
        tx.write("binary", LARGE, mode=0o755)
        tx.delete("folder")
        tx.delete("swap")
        tx.write("swap/inside", b"now a folder\n")
        tx.delete("prune/only", is_pruned=True)
        tx.make_dir("empty")


class Storm:
    """Makes fresh trees and judges them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0
        make_old_tree(template := folder / "template")
        self.old = snapshot_of(template / "files")
        done = self.fresh()
        change(done)
        self.new = snapshot_of(done / "files")
        assert self.old != self.new

    def fresh(self) -> Path:
        self.number += 1
        root = self.folder / f"tree-{self.number}"
        shutil.copytree(self.folder / "template", root, symlinks=True)
        return root

    def judge(self, root: Path, *, is_acknowledged: bool = False) -> str:
        """Recover, time it, and return which tree it is; the workspace must take the next change as well."""
        started = time.monotonic()
        recover(root / "files", root / "vault")
        assert time.monotonic() - started < 1.0
        found = snapshot_of(root / "files")
        assert found in (self.old, self.new), f"torn: {found.items() ^ self.new.items()}"
        assert not is_acknowledged or found == self.new
        with StateTransaction(root / "files", root / "vault", label="next") as tx:
            tx.write("keep", b"after\n")
        shutil.rmtree(root)
        return "old" if found == self.old else "new"


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Storm:
    return Storm(tmp_path_factory.mktemp("storm"))


@pytest.mark.storm
@pytest.mark.timeout(600 if IS_FULL else 60)
@pytest.mark.parametrize("is_half", [False, True], ids=["before the call", "in mid-write"])
def test_a_killed_transaction_is_all_old_or_all_new(storm: Storm, is_half: bool) -> None:
    root = storm.fresh()
    total = count_points(partial(change, root))
    assert total > 60
    ends = []
    for at in points(total, 36):
        root = storm.fresh()
        is_done = ends_itself(partial(change, root), at, is_half=is_half)
        assert not is_done
        ends.append(storm.judge(root))
    print(f"{len(ends)} of {total} points, {ends.count('old')} all old, {ends.count('new')} all new, 0 torn")
    assert {"old", "new"} == set(ends)
    root = storm.fresh()
    assert ends_itself(partial(change, root), total + 1)
    assert storm.judge(root, is_acknowledged=True) == "new"


@pytest.mark.storm
@pytest.mark.timeout(1800 if IS_FULL else 60)
def test_a_killed_recovery_ends_the_same_way(storm: Storm) -> None:
    root = storm.fresh()
    total = count_points(partial(change, root))
    tried = 0
    for at in points(total, 14, seed=4):
        crashed = storm.fresh()
        assert not ends_itself(partial(change, crashed), at)
        probe = Path(shutil.copytree(crashed, storm.folder / "probe", symlinks=True))
        inner = count_points(partial(recover, probe / "files", probe / "vault"))
        expected = storm.judge(probe)
        for again in points(inner, 5, seed=3):
            copy = Path(shutil.copytree(crashed, storm.folder / "copy", symlinks=True))
            assert not ends_itself(partial(recover, copy / "files", copy / "vault"), again)
            assert storm.judge(copy) == expected
            tried += 1
        shutil.rmtree(crashed)
    print(f"{tried} points of recovery, 0 torn")
    assert tried > 20


def change_and_fail(root: Path) -> None:
    """Do the same change on a disk that fails near the end of it, after most files have moved."""
    calls = 0

    def fail_late(vault: Vault, step: Step, seen: Signature | None) -> None:
        nonlocal calls
        calls += 1
        if calls == 12:
            raise OSError(errno.EIO, "injected")
        do_step(vault, step, seen)

    with mock.patch("workers.changes.transaction.do_step", fail_late), pytest.raises(StorageFailed):
        change(root)


@pytest.mark.storm
@pytest.mark.timeout(600 if IS_FULL else 60)
def test_giving_up_is_whole_as_well(storm: Storm) -> None:
    root = storm.fresh()
    change_and_fail(root)
    assert storm.judge(root) == "old"
    counted = storm.fresh()
    total = count_points(partial(change_and_fail, counted))
    tried = 0
    for at in points(total - 40, 12, seed=5):
        root = storm.fresh()
        assert not ends_itself(partial(change_and_fail, root), at + 40)
        storm.judge(root)
        tried += 1
    print(f"{tried} points of giving up, 0 torn")
    assert tried >= 12


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.workers.changes.test_crashes import change
change(Path(sys.argv[2]))
"""


@pytest.mark.storm
@pytest.mark.timeout(1800 if IS_FULL else 90)
@pytest.mark.parametrize(
    "call", ["pwrite64", "write", "fdatasync", "rename,renameat,renameat2", "unlink,unlinkat"]
)
def test_the_kernel_agrees(storm: Storm, call: str, tmp_path: Path) -> None:
    """A sample of the same with strace, which kills at real system calls."""
    script = tmp_path / "child.py"
    script.write_text(CHILD.replace("from tests.workers.changes.test_crashes", "from test_crashes"))
    here = Path(__file__).resolve()
    env = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([str(here.parents[3]), str(here.parent)]),
        PYTHONDONTWRITEBYTECODE="1",
    )
    for when in range(1, 200) if IS_FULL else (1, 2, 4):
        root = storm.fresh()
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
             "-e", f"inject={call}:signal=KILL:when={when}", sys.executable, str(script), "", str(root)],
            env=env, cwd=here.parents[3], capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        storm.judge(root, is_acknowledged=done.returncode == 0)
        if done.returncode == 0:
            break
        assert done.returncode in (-9, 137), done.stderr.decode()
