"""A control group per command, where this process may make one: the kernel's own bound on memory and
processes.

Both versions are spoken, because machines have either: v1 has a hierarchy per controller and lets root make
groups anywhere; v2 has one hierarchy and gives out controllers from the top down, so a place is looked for
where they have been given out. Where there is no such place, `watch` counts from outside instead;
`Cgroup.open` returns None then, and `doctor` says so.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workers.sandbox.limits import Limits

ROOT = Path("/sys/fs/cgroup")
FOLDER = "pyagent-sandbox"
# Bubblewrap itself, outside and as the sandbox's first process.
OVERHEAD_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where groups can be made: one folder per controller (v1), or one for both (v2)."""

    version: int
    memory: Path
    pids: Path


def _own_paths() -> dict[str, str]:
    """Return the group this process is in, by controller; "" is v2's."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    paths: dict[str, str] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            paths[name] = path.lstrip("/")
    return paths


def _usable(folder: Path) -> bool:
    """Return whether a group can be made in `folder` and a process moved into it."""
    probe = folder / f"{FOLDER}-probe-{uuid.uuid4().hex[:8]}"
    try:
        probe.mkdir()
    except OSError:
        return False
    try:
        return os.access(probe / "cgroup.procs", os.W_OK)
    finally:
        with contextlib.suppress(OSError):
            probe.rmdir()


def _find_v2(own: str) -> Place | None:
    here = ROOT / own
    for folder in (here, *here.parents):
        if not folder.is_relative_to(ROOT):
            return None
        try:
            given = (folder / "cgroup.subtree_control").read_text().split()
        except OSError:
            continue
        # Moving a process needs write access to the common ancestor's cgroup.procs, which is this folder's.
        if (
            {"memory", "pids"} <= set(given)
            and os.access(folder / "cgroup.procs", os.W_OK)
            and _usable(folder)
        ):
            return Place(2, folder, folder)
    return None


def _find_v1(own: dict[str, str]) -> Place | None:
    found: dict[str, Path] = {}
    for name in ("memory", "pids"):
        # In a container the mount may already begin at our own group, so that the path in /proc is not below
        # it.
        for folder in (ROOT / name / own.get(name, ""), ROOT / name):
            if folder.is_dir() and _usable(folder):
                found[name] = folder
                break
        else:
            return None
    return Place(1, found["memory"], found["pids"])


@cache
def find_place() -> Place | None:
    """Return where this process may make groups, or None; looked up once."""
    try:
        own = _own_paths()
    except (OSError, ValueError):
        return None
    if "memory" in own and "pids" in own:
        return _find_v1(own)
    return _find_v2(own[""]) if "" in own else None


class Cgroup:
    """One command's group. `procs` are the files a process writes `0` to in order to join."""

    def __init__(self, place: Place, name: str) -> None:
        self._version = place.version
        self._memory = place.memory / name
        self._pids = place.pids / name

    @classmethod
    def open(cls, limits: Limits, *, place: Place | None = None) -> Cgroup | None:
        """Make a group with `limits`; None where this process may not make one."""
        place = place or find_place()
        if place is None:
            return None
        group = cls(place, f"{FOLDER}-{os.getpid()}-{uuid.uuid4().hex[:12]}")
        try:
            group._make(limits)
        except OSError:
            group.close()
            return None
        return group

    @property
    def procs(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((self._memory / "cgroup.procs", self._pids / "cgroup.procs")))

    def _make(self, limits: Limits) -> None:
        for folder in dict.fromkeys((self._memory, self._pids)):
            folder.mkdir()
        (self._pids / "pids.max").write_text(str(limits.processes + OVERHEAD_PROCESSES))
        if self._version == 2:
            (self._memory / "memory.max").write_text(str(limits.memory_bytes))
            with contextlib.suppress(FileNotFoundError):
                (self._memory / "memory.swap.max").write_text("0")
            return
        (self._memory / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))
        with contextlib.suppress(OSError):  # absent unless the kernel accounts swap
            (self._memory / "memory.memsw.limit_in_bytes").write_text(str(limits.memory_bytes))

    def oom_kills(self) -> int:
        """Return how many processes the kernel has killed here for want of memory."""
        name = "memory.events" if self._version == 2 else "memory.oom_control"
        try:
            lines = (self._memory / name).read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

    def process_refusals(self) -> int:
        """Return how many forks the kernel has refused here."""
        try:
            lines = (self._pids / "pids.events").read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("max ")), 0)

    def close(self) -> None:
        """Remove the group; its processes are gone or on their way."""
        for folder in dict.fromkeys((self._memory, self._pids)):
            for _ in range(50):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:  # busy: the kernel is still reaping
                    time.sleep(0.01)
                else:
                    break
