"""The process that outlives a supervisor killed with -9, just long enough to end everything the supervisor
had started.

It reads its standard input, the other end of which only the supervisor holds: lines `+GROUP` and `-GROUP`
tell which process groups live. When the supervisor is gone, however it went, the pipe ends, and all of them
are killed. The kernel already kills the direct children (PR_SET_PDEATHSIG); this is for their children, such
as Celery's pool. Whatever has left its group is found by a mark in its environment.

Run as a file, with nothing but the standard library: it must start fast and stay small.
"""

from __future__ import annotations

import os
import signal
import sys
import time

MARK = "PYAGENT_SUPERVISOR"
SWEEPS, SWEEP_PAUSE_S = 20, 0.05


def kill_group(group: int) -> None:
    """Kill every process of `group`."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def marked(mark: str) -> list[int]:
    """Return the processes that were started with `mark` in their environment and still run."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - no pathlib here: it doubles the start
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as stream:  # noqa: PTH123 - as above
                if wanted in stream.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            continue
    return found


def sweep(mark: str) -> None:
    """Kill everything that carries `mark`, until nothing does."""
    for _ in range(SWEEPS):
        found = marked(mark)
        if not found:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        time.sleep(SWEEP_PAUSE_S)


def watch(mark: str) -> None:
    """Wait for the supervisor's end, then end the rest."""
    groups: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            groups.add(int(line[1:]))
        elif line.startswith("-"):
            groups.discard(int(line[1:]))
    for group in groups:
        kill_group(group)
    sweep(mark)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.argv[1])
