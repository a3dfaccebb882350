"""The eye on a running sandbox: what the kernel does not bound by itself is measured, and ends the command
when it is too much.

The workspace's growth has no kernel limit (a quota would need a file system of its own), so the file system's
free space and free inodes are read ten times a second, which costs microseconds, and only when they fall does
a walk over the workspace decide whether it was this command. Memory and processes are counted here where no
cgroup could be made.

What weighs on the disk need not be found by a walk: a file that is open has no name any more once it is deleted, and one
that is nested deeper than a path may be long cannot be reached by one. The first is counted where it is held open, the
second taken for too much. For what hides elsewhere (in a socket's queue) the disk is never let run full.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workers.sandbox.cgroups import Cgroup
from workers.sandbox.limits import EndedBy, Limits

PERIOD_S = 0.1
# A fork bomb doubles within a millisecond; what is found late takes the kernel long to end.
UNBOUNDED_PERIOD_S = 0.01
# btrfs and some network file systems count no inodes: there the walk runs by the clock.
BLIND_WALK_S = 2.0
# A walk may take at most this share of the time.
WALK_SHARE = 0.2
# A path may have 4,096 bytes; what lies further down cannot be looked at.
DEEPEST_BYTES = 3800
# Left for the database and the queue.
RESERVE_BYTES = 512 << 20
RESERVE_SHARE = 0.02
NOTICED_BYTES = 16 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
# Files in a memory-backed /tmp cost kernel memory that no size limit counts.
TMP_INODES = 50_000


@dataclass(frozen=True, slots=True)
class Growth:
    """What files changed since a moment weigh."""

    size_bytes: int
    inodes: int


def growth_since(folder: Path, since: float, *, stop_at: Growth) -> Growth:
    """Return the weight of everything in `folder` whose inode changed after `since`; ends early past
    `stop_at`, which a folder nested deeper than a path may be long passes as well.

    Links are not followed, other file systems neither. A file that vanishes meanwhile counts nothing.
    """
    size = count = 0
    pending = [os.fspath(folder)]
    while pending:
        path = pending.pop()
        if len(os.fsencode(path)) > DEEPEST_BYTES:
            return Growth(stop_at.size_bytes + 1, stop_at.inodes + 1)
        try:
            entries = list(os.scandir(path))
        except OSError:
            continue
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
            except OSError:
                continue
            if found.st_ctime >= since:
                size += found.st_blocks * 512
                count += 1
        if size > stop_at.size_bytes or count > stop_at.inodes:
            break
    return Growth(size, count)


def nameless_bytes(pids: list[int], *, in_memory: set[int]) -> int:
    """Return what files weigh that have been deleted, but are held open or mapped by `pids`.

    Args:
        in_memory: Devices that are no disk. The disk's own is not asked for: files of a layered file system have others
            than its folders.
    """
    held: dict[int, int] = {}
    for pid in pids:
        for descriptor in _listed(f"/proc/{pid}/fd"):
            try:
                found = os.stat(f"/proc/{pid}/fd/{descriptor}")  # noqa: PTH116 - called often
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode) and not found.st_nlink and found.st_dev not in in_memory:
                held[found.st_ino] = max(held.get(found.st_ino, 0), found.st_blocks * 512)
        for inode, end in _deleted_mappings(pid, in_memory):
            held[inode] = max(held.get(inode, 0), end)
    return sum(held.values())


def _memory_devices(init_pid: int) -> set[int]:
    """Return the devices of a sandbox's folders in memory, and of memory that is shared without a name."""
    found = set()
    for folder in ("tmp", "dev/shm"):
        with contextlib.suppress(OSError):
            found.add(os.stat(f"/proc/{init_pid}/root/{folder}").st_dev)  # noqa: PTH116 - as below
    descriptor = os.memfd_create("device", os.MFD_CLOEXEC)
    found.add(os.fstat(descriptor).st_dev)
    os.close(descriptor)
    return found


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - called often
    except OSError:
        return []


def _deleted_mappings(pid: int, in_memory: set[int]) -> Iterator[tuple[int, int]]:
    """Yield inode and highest mapped byte of the deleted files that a process has mapped."""
    unwanted = {f"{os.major(device):02x}:{os.minor(device):02x}" for device in in_memory}
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[3] not in unwanted and fields[5].endswith(" (deleted)"):
            start, end = (int(each, 16) for each in fields[0].split("-"))
            yield int(fields[4]), int(fields[2], 16) + end - start


def _tree(root: int, *, stop_at: int) -> list[int]:
    """Return `root` and everything below it; ends early past `stop_at` processes, as a fork bomb grows faster
    than it is walked. Orphans of a pid namespace hang under its first process, so none is missed."""
    found: list[int] = []
    pending = [root]
    while pending and len(found) <= stop_at:
        pid = pending.pop()
        found.append(pid)
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                pending += [int(child) for child in (thread / "children").read_text().split()]
        except OSError:
            continue
    return found


def _resident(pids: list[int]) -> int:
    """Return how much memory `pids` hold, in bytes; what they share counts for each of them."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
        except OSError:
            continue
    return total


def _proportional(pids: list[int]) -> int:
    """Return the same with what they share counted once. Slow: the kernel walks their pages."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def _threads(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        try:
            total += len(list(Path(f"/proc/{pid}/task").iterdir()))
        except OSError:
            continue
    return total


class Watch:
    """Look at one sandbox until something is too much."""

    def __init__(self, *, files: Path, limits: Limits, cgroup: Cgroup | None, status_fd: int) -> None:
        self._files, self._limits, self._cgroup = files, limits, cgroup
        self._status_fd, self._status = status_fd, b""
        # Clocks of file systems tick every 4 ms, and lag behind.
        self._since = time.time() - 0.05
        self._start = os.statvfs(files)
        self._walk_not_before = 0.0
        self.init_pid: int | None = None
        self.has_started_command = False

    def read_status(self) -> None:
        """Take in what bubblewrap reports: its first process, and whether the command came to run."""
        while True:
            try:
                chunk = os.read(self._status_fd, 4096)
            except BlockingIOError:
                break
            if not chunk:
                break
            self._status += chunk
        for line in self._status.splitlines():
            try:
                report = json.loads(line)
            except ValueError:
                continue
            self.init_pid = report.get("child-pid", self.init_pid)
            self.has_started_command |= "exit-code" in report

    def kill_init(self) -> bool:
        """Kill the sandbox's first process, and by that everything in it; False while bubblewrap has not
        named it yet.

        Safe against a reused number: bubblewrap, which is asked for only while it runs, reaps this process
        and then ends.
        """
        self.read_status()
        if self.init_pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.init_pid, signal.SIGKILL)
        return True

    async def until_too_much(self) -> EndedBy:
        """Return which limit was passed; runs until then."""
        look_at_all_at = time.monotonic() + PERIOD_S
        while True:
            await asyncio.sleep(PERIOD_S if self._cgroup is not None else UNBOUNDED_PERIOD_S)
            if self.init_pid is None:
                self.read_status()
            if self._has_too_many_processes():
                return "processes"
            if time.monotonic() < look_at_all_at:
                continue
            look_at_all_at = time.monotonic() + PERIOD_S
            for look in (self._look_at_memory, self._look_at_tmp):
                if verdict := look():
                    return verdict
            if await self._has_grown_too_much():
                return "disk"

    def _has_too_many_processes(self) -> bool:
        if self._cgroup is not None or self.init_pid is None:
            return False
        most = self._limits.processes * 2
        pids = _tree(self.init_pid, stop_at=most)
        return len(pids) > most or _threads(pids) > most

    def _look_at_memory(self) -> EndedBy | None:
        if self._cgroup is not None:
            return "memory" if self._cgroup.oom_kills() else None
        if self.init_pid is None:
            return None
        pids = _tree(self.init_pid, stop_at=self._limits.processes * 2)
        limit = self._limits.memory_bytes
        return "memory" if _resident(pids) > limit and _proportional(pids) > limit else None

    def _look_at_tmp(self) -> EndedBy | None:
        for folder in ("tmp", "dev/shm"):
            try:
                state = os.statvfs(f"/proc/{self.init_pid}/root/{folder}")
            except OSError:
                continue
            # Before the first process has changed its root this is the machine's own /tmp: a tmpfs of ours
            # has our size.
            is_ours = state.f_blocks * state.f_frsize <= self._limits.tmp_bytes + PAGE
            if is_ours and state.f_files - state.f_ffree > TMP_INODES:
                return "disk"
        return None

    async def _has_grown_too_much(self) -> bool:
        try:
            state = os.statvfs(self._files)
        except OSError:
            return False
        if self._is_nearly_full(state):
            return True
        now = time.monotonic()
        if now < self._walk_not_before or not self._is_suspicious(state):
            return False
        bound = Growth(self._limits.disk_bytes, self._limits.inodes)
        grown = await asyncio.to_thread(self._grown, bound)
        took = time.monotonic() - now
        self._walk_not_before = time.monotonic() + max(
            took / WALK_SHARE, BLIND_WALK_S if not self._start.f_files else 0.0
        )
        return grown.size_bytes > bound.size_bytes or grown.inodes > bound.inodes

    def _grown(self, bound: Growth) -> Growth:
        grown = growth_since(self._files, self._since, stop_at=bound)
        if self.init_pid is None:
            return grown
        pids = _tree(self.init_pid, stop_at=self._limits.processes * 2)
        hidden = nameless_bytes(pids, in_memory=_memory_devices(self.init_pid))
        return Growth(grown.size_bytes + hidden, grown.inodes)

    def _used(self, state: os.statvfs_result) -> int:
        """Return what the whole file system has taken since the start, in bytes, whoever wrote it."""
        return (self._start.f_bfree - state.f_bfree) * state.f_frsize

    def _is_nearly_full(self, state: os.statvfs_result) -> bool:
        """Return whether the disk has little left for the database and the queue, and less than when this command came."""
        reserve = min(RESERVE_BYTES, int(state.f_blocks * state.f_frsize * RESERVE_SHARE))
        return state.f_bavail * state.f_frsize < reserve and self._used(state) > NOTICED_BYTES

    def _is_suspicious(self, state: os.statvfs_result) -> bool:
        if not self._start.f_files:
            return True
        # Half: what somebody else frees meanwhile on the same file system hides as much.
        return (
            self._used(state) > self._limits.disk_bytes // 2
            or self._start.f_ffree - state.f_ffree > self._limits.inodes // 2
        )
