"""Ending a process at its n-th change of the disk, and seeing what a tree looks like afterwards.

A child is forked; every call that changes the disk is counted there, and at call n the child kills itself with SIGKILL
before the call, or, for writes, after half of it. The numbers run until the child ends by itself.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from workers.changes import objects, steps, vault

CALLS = (
    *("write", "pwrite", "rename", "unlink", "mkdir", "rmdir", "symlink"),
    *("fsync", "fdatasync", "fchmod", "chmod", "posix_fallocate"),
)
OTHER_CALLS: tuple[tuple[Any, str], ...] = (
    (steps, "rename_new"),
    (steps, "exchange"),
    (vault, "sync_filesystem"),
    (objects, "sync_filesystem"),
)
IS_FULL = os.environ.get("PYAGENT_STORM") == "full"
SEED = int(os.environ.get("PYAGENT_STORM_SEED", "20261126"))
"""Decides what a storm kills when."""


def ends_itself(work: Callable[[], object], at: int, *, is_half: bool = False) -> bool:
    """Run `work` in a child that is killed at its `at`-th change of the disk; return whether it ended before that."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with ExitStack() as stack:
                _count(stack, at, is_half)
                work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return True


def _count(stack: ExitStack, at: int, is_half: bool) -> list[int]:
    done = [0]

    def wrap(real: Callable[..., Any], is_write: bool) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            done[0] += 1
            if done[0] == at:
                if is_half and is_write:
                    data = bytes(args[1])
                    real(args[0], data[: len(data) // 2], *args[2:], **kwargs)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return counted

    for name in CALLS:
        stack.enter_context(mock.patch.object(os, name, wrap(getattr(os, name), name in ("write", "pwrite"))))
    for module, name in OTHER_CALLS:
        stack.enter_context(mock.patch.object(module, name, wrap(getattr(module, name), is_write=False)))
    stack.enter_context(mock.patch("subprocess.Popen", _counted_popen(wrap)))
    return done


def _counted_popen(wrap: Callable[..., Any]) -> Any:
    """Count the start of a program as one point as well: what git does inside is git's to keep whole."""
    real = subprocess.Popen
    tick = wrap(lambda: None, False)

    class Counted(real):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            tick()
            super().__init__(*args, **kwargs)

    return Counted


def points(total: int, sample: int, *, seed: int = 1) -> Iterator[int]:
    """Yield every point from 1 on in a full storm, else a fixed choice of `sample` of them, in order."""
    every = range(1, total + 1)
    if IS_FULL or total <= sample:
        yield from every
    else:
        yield from sorted(random.Random(seed).sample(every, sample))


def count_points(work: Callable[[], object]) -> int:
    """Return how many points `work` has. It is run once, to its end, in a child."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with ExitStack() as stack:
                counter = _count(stack, 0, is_half=False)
                work()
            os.write(writer, str(counter[0]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        return int(pipe.read())


def snapshot_of(folder: Path) -> dict[str, tuple[str, int, str]]:
    """Return everything below a folder: path to (kind, mode, content or target)."""
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(parent) / name
            status = path.lstat()
            mode = stat.S_IMODE(status.st_mode)
            shown = os.fsdecode(os.fsencode(path.relative_to(folder)))
            if path.is_symlink():
                found[shown] = ("link", 0, str(path.readlink()))
            elif path.is_dir():
                found[shown] = ("dir", 0, "")
            else:
                found[shown] = ("file", mode, hashlib.sha256(path.read_bytes()).hexdigest())
    return found
