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
import signal
import time
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workers.sandbox.limits import Limits

ROOT = Path("/sys/fs/cgroup")
FOLDER = "pyagent-sandbox"
REMOVE_TRIES = 50
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


def _kill_all(folder: Path) -> None:
    """Kill every process of a group; with nobody there to kill, nothing happens."""
    with contextlib.suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _remove(folder: Path) -> None:
    for _ in range(REMOVE_TRIES):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # busy: somebody is in it, or the kernel is still reaping
            _kill_all(folder)
            time.sleep(0.01)
        else:
            return


def _prefix() -> str:
    # Numbers of processes mean something only within their namespace: another container's are not ours to judge.
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return f"{FOLDER}-{namespace}-"


def _sweep(place: Place) -> None:
    """End what a process of ours that was killed has left behind."""
    prefix = _prefix()
    for parent in dict.fromkeys((place.memory, place.pids)):
        for folder in parent.glob(f"{prefix}*"):
            owner = folder.name.removeprefix(prefix).partition("-")[0]
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                _remove(folder)


@cache
def find_place() -> Place | None:
    """Return where this process may make groups, or None; looked up once."""
    try:
        own = _own_paths()
    except (OSError, ValueError):
        return None
    is_v1 = "memory" in own and "pids" in own
    place = _find_v1(own) if is_v1 else _find_v2(own.get("", ""))
    if place is not None:
        _sweep(place)
    return place


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
        group = cls(place, f"{_prefix()}{os.getpid()}-{uuid.uuid4().hex[:12]}")
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
        """Remove the group, and whatever should still be in it."""
        for folder in dict.fromkeys((self._memory, self._pids)):
            _remove(folder)
