"""What among somebody's files holds git up for ever, or feeds it without end.

Git reads `.gitignore`, `.gitattributes` and what lies in a nested `.git` before anybody has looked at them. Whoever has a
terminal can put a pipe there, which never ends to open, a link to a device, which never ends to read, or a pattern such as
`**/*a*a*a*a*a*a*a*a*b`, whose comparison with one long name takes hours. Git has no setting against any of them; so its
memory is bounded, its silence and its labour are noticed, and the reason is told by name.
"""

from __future__ import annotations

import os
import resource
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from workers.changes.errors import FilesHoldGitUp
from workers.changes.paths import from_bytes, to_portable

# An index of a million files takes 300 MB.
MEMORY_BYTES = 1 << 30
_LOOK_EVERY_S = 0.5
_PATIENCE_S = 1.5
_BUSY_S = 5.0
"""Processor time after which patterns are looked at: a hundred thousand files take one or two seconds."""
_TOLD = 5
_RULES = (b".gitignore", b".gitattributes")
_RULES_BYTES = 1 << 20
_STARS = 8


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
        self._look_at_rules_at = _BUSY_S * os.sysconf("SC_CLK_TCK")

    def look(self) -> None:
        """Do nothing while git works.

        Raises:
            FilesHoldGitUp: it waits, or works for long, and there is something among the files that explains it.
        """
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_S
        cpu, is_asleep = _activity(self._pid)
        if cpu > self._look_at_rules_at:
            self._look_at_rules_at = 2 * cpu
            raise_if_kept_busy(self._files)
        if cpu != self._cpu or not is_asleep:
            self._cpu, self._since = cpu, now
        elif now - self._since >= _PATIENCE_S:
            raise_if_held_up(self._files)
            # It waits for something else: the walk is not worth doing again soon.
            self._since = now + 10 * _PATIENCE_S


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


def raise_if_kept_busy(files: Path) -> None:
    """Do nothing when no pattern can be why git works without end.

    Raises:
        FilesHoldGitUp: those in these files can.
    """
    if found := find_slow_rules(files, limit=_TOLD):
        names = ", ".join(found)
        raise FilesHoldGitUp(
            f"The patterns in {names} keep git busy without end: make them simpler.", paths=found
        )


def find_obstacles(files: Path, *, limit: int) -> list[str]:
    """Return up to `limit` paths of pipes, and of links that lead to a pipe or a device."""
    found = (path for path, is_file in _walk(files) if not is_file and _is_endless(path))
    return _told(files, found, limit)


def find_slow_rules(files: Path, *, limit: int) -> list[str]:
    """Return up to `limit` paths of `.gitignore` and `.gitattributes` with a pattern that git compares in exponential time."""
    rules = (path for path, is_file in _walk(files) if is_file and path.endswith(_RULES))
    return _told(files, filter(_has_slow_pattern, rules), limit)


def _told(files: Path, found: Iterable[bytes], limit: int) -> list[str]:
    start = len(os.fsencode(files)) + 1
    return sorted(to_portable(from_bytes(path[start:])) for path in islice(found, limit))


def _walk(files: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield everything below a folder that is no folder, and whether it is a regular file."""
    pending = [os.fsencode(files)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        yield entry.path, entry.is_file(follow_symlinks=False)
        except OSError:  # gone meanwhile, not to be read, or nested deeper than git itself goes
            continue


def _has_slow_pattern(path: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        text = file.read(_RULES_BYTES)
    return any(b"**" in line and line.replace(b"**", b"").count(b"*") > _STARS for line in text.splitlines())


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
