"""What sandbox tests share: files to work on, and a way to count what is left running."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def descendants() -> set[int]:
    """Return every process that hangs under this one, zombies left out."""
    found: set[int] = set()
    pending = [os.getpid()]
    while pending:
        for task in Path(f"/proc/{pending.pop()}/task").glob("*/children"):
            try:
                children = [int(pid) for pid in task.read_text().split()]
            except OSError:
                continue
            pending += children
            found |= {pid for pid in children if _is_alive(pid)}
    return found


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def names(folder: Path) -> list[str]:
    """Return what lies in `folder`."""
    return [path.name for path in folder.iterdir()]


def count_descriptors() -> int:
    """Return how many descriptors this process holds."""
    return len(names(Path("/proc/self/fd")))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    before = descendants()
    yield
    assert descendants() <= before
