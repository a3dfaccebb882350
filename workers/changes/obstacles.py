"""What among somebody's files holds git up for ever, or feeds it without end.

Git reads `.gitignore`, `.gitattributes` and what lies in a nested `.git` before anybody has looked at them. Whoever has a
terminal can put a pipe there, which never ends to open, or a link to a device, which never ends to read. Git has no
setting against either; so its memory is bounded, its silence is noticed, and the reason is told by name.
"""

from __future__ import annotations

import os
import resource
import stat
import time
from collections.abc import Callable
from pathlib import Path

from workers.changes.errors import FilesHoldGitUp
from workers.changes.paths import from_bytes, to_portable

# An index of a million files takes 300 MB.
MEMORY_BYTES = 1 << 30
_LOOK_EVERY_S = 0.5
_PATIENCE_S = 1.5
_TOLD = 5


def bound_memory(pid: int) -> None:
    """Let a git that reads somebody's files fail, rather than the machine, when one of them never ends."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))


class StallWatch:
    """Looks, again and again, whether a git that reads files still does anything."""

    def __init__(self, pid: int, files: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pid, self._files, self._clock = pid, files, clock
        self._look_at = self._since = clock()
        self._cpu = -1

    def look(self) -> None:
        """Do nothing while git works.

        Raises:
            FilesHoldGitUp: it waits, and there is something among the files that it would wait for.
        """
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_S
        cpu, is_asleep = _activity(self._pid)
        if cpu != self._cpu or not is_asleep:
            self._cpu, self._since = cpu, now
        elif now - self._since >= _PATIENCE_S:
            raise_if_held_up(self._files)
            self._since = (
                now + 10 * _PATIENCE_S
            )  # it waits for something else: the walk is not worth doing again soon


def raise_if_held_up(files: Path) -> None:
    """Do nothing when no file can be why git did not come to an end.

    Raises:
        FilesHoldGitUp: these can.
    """
    if found := find_obstacles(files, limit=_TOLD):
        names = ", ".join(found)
        raise FilesHoldGitUp(
            f"Git cannot get past {names} among the files: remove it in a terminal.", paths=found
        )


def find_obstacles(files: Path, *, limit: int) -> list[str]:
    """Return up to `limit` paths of pipes, and of links that lead to a pipe or a device."""
    found: list[str] = []
    top = os.fsencode(files)
    pending = [top]
    while pending and len(found) < limit:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    elif not entry.is_file(follow_symlinks=False) and _is_endless(entry.path):
                        found.append(to_portable(from_bytes(entry.path[len(top) + 1 :])))
        except OSError:  # gone meanwhile, not to be read, or nested deeper than git itself goes
            continue
    return sorted(found)[:limit]


def _is_endless(path: bytes) -> bool:
    try:
        status = os.stat(path)  # noqa: PTH116 - called often, on bytes
    except OSError:  # a link to nowhere
        return False
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev != os.makedev(1, 3)  # /dev/null ends at once
    return stat.S_ISFIFO(status.st_mode)


def _activity(pid: int) -> tuple[int, bool]:
    """Return the processor time used so far, in ticks, and whether every thread sleeps: none works or waits for a disk."""
    ticks, states = 0, set()
    for thread in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            fields = thread.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        states.add(fields[0])
        ticks += int(fields[11]) + int(fields[12])
    return ticks, states == {"S"}
