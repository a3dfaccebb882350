"""Nothing is left behind, whichever way a supervisor ends; what dies comes back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.framework.lateness import lateness_s

HARNESS = Path(__file__).with_name("harness.py")
ROOT = Path(__file__).parents[3]
SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(300)"]
# Ignores every polite signal, and has a child that has left its process group.
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, time\n"
    "for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)\n"
    "subprocess.Popen(['sleep', '300'])\n"
    "subprocess.Popen(['sleep', '301'], start_new_session=True)\n"
    "print('up', flush=True)\n"
    "time.sleep(300)\n",
]
TAG = "PYAGENT_TEST_TAG"


class Running:
    """A harness process and what it says."""

    def __init__(self, programs: list[list[str]], tag: str) -> None:
        self.tag = tag
        env = {**os.environ, "PYTHONPATH": str(ROOT), TAG: tag}
        self.process = subprocess.Popen(
            [sys.executable, str(HARNESS), json.dumps(programs)], stdout=subprocess.PIPE, text=True, env=env
        )
        self.said: list[str] = []

    def until(self, wanted: str, *, times: int = 1) -> list[str]:
        """Read lines until `wanted` stood in that many."""
        assert self.process.stdout is not None
        while sum(wanted in line for line in self.said) < times:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said.append(line)
        return [line for line in self.said if wanted in line]

    def alive(self) -> dict[int, str]:
        """Return every process that carries this test's tag (the guardian carries none: it is a child), with its arguments."""
        found = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                is_zombie = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
                arguments = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                is_ours = f"{TAG}={self.tag}".encode() in (folder / "environ").read_bytes()
                if is_ours and not is_zombie:
                    found[int(folder.name)] = arguments
        return found

    def guardians(self) -> list[int]:
        """Return the processes that guard this supervisor."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"guardian.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[list[list[str]]], Running]]:
    started: list[Running] = []

    def start(programs: list[list[str]]) -> Running:
        started.append(Running(programs, f"{tmp_path.name}-{len(started)}-{os.getpid()}"))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        assert wait_until(lambda each=each: not each.alive()), each.alive()


def wait_until(condition: Callable[[], object], *, within_s: float = 5.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_leaves_nothing_when_it_is_killed(running: Callable[[list[list[str]]], Running]) -> None:
    supervisor = running([["one", "keep trying", *STUBBORN], ["two", "keep trying", *SLEEP]])
    supervisor.until("up", times=2)
    assert len(supervisor.alive()) == 5
    (guardian,) = supervisor.guardians()
    supervisor.process.kill()
    supervisor.process.wait()
    assert wait_until(lambda: not supervisor.alive()), supervisor.alive()
    assert wait_until(lambda: not is_running(guardian))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_everything_within_five_seconds(
    running: Callable[[list[list[str]]], Running], number: signal.Signals
) -> None:
    supervisor = running(
        [
            ["first", "keep trying", *STUBBORN],
            ["one", "keep trying", *STUBBORN],
            ["two", "keep trying", *SLEEP],
        ]
    )
    supervisor.until("up", times=3)
    (guardian,) = supervisor.guardians()
    start = time.monotonic()
    supervisor.process.send_signal(number)
    assert supervisor.process.wait(10) == 0
    took = time.monotonic() - start
    assert took < 5.0 or took < 5.0 + lateness_s()
    assert supervisor.alive() == {}
    assert not is_running(guardian)


def test_ends_at_once_when_nothing_resists(running: Callable[[list[list[str]]], Running]) -> None:
    supervisor = running([["one", "keep trying", *SLEEP], ["two", "keep trying", *SLEEP]])
    supervisor.until("up", times=2)
    start = time.monotonic()
    supervisor.process.send_signal(signal.SIGINT)
    supervisor.process.wait(10)
    assert time.monotonic() - start < 1.5


def test_starts_again_what_dies_and_ends_what_it_had_started(
    running: Callable[[list[list[str]]], Running],
) -> None:
    supervisor = running([["one", "keep trying", *STUBBORN]])
    supervisor.until("up")
    parent = next(
        pid
        for pid, arguments in supervisor.alive().items()
        if "SIG_IGN" in arguments and pid != supervisor.process.pid
    )
    os.kill(parent, signal.SIGKILL)
    supervisor.until("one was killed by SIGKILL; starting it again")
    supervisor.until("one        | up", times=2)
    # The sleeper of its group went with it; the one that had left its group is only ended with the supervisor.
    assert sum("sleep 300" in arguments for arguments in supervisor.alive().values()) == 1


def test_stops_everything_when_what_it_needs_does_not_stay_up(
    running: Callable[[list[list[str]]], Running],
) -> None:
    supervisor = running([["needed", "stop everything", "false"], ["other", "keep trying", *SLEEP]])
    assert "needed does not stay up" in supervisor.until("failure: ")[0]
    assert supervisor.process.wait(10) == 1
    assert len([line for line in supervisor.said if "ended with exit status 1" in line]) == 5


def test_goes_on_without_what_it_can_do_without(running: Callable[[list[list[str]]], Running]) -> None:
    supervisor = running([["first", "keep trying", *SLEEP], ["optional", "leave it", "/nowhere/program"]])
    assert "cannot be started" in supervisor.until("given up")[0]
    assert supervisor.process.poll() is None


def test_gets_a_new_guardian_when_it_loses_one(running: Callable[[list[list[str]]], Running]) -> None:
    supervisor = running([["one", "keep trying", *STUBBORN]])
    supervisor.until("up")
    (guardian,) = supervisor.guardians()
    os.kill(guardian, signal.SIGKILL)
    assert wait_until(lambda: supervisor.guardians() not in ([], [guardian]))
    supervisor.process.kill()
    supervisor.process.wait()
    assert wait_until(lambda: not supervisor.alive()), supervisor.alive()


def test_cuts_a_line_without_end(running: Callable[[list[list[str]]], Running]) -> None:
    endless = [
        sys.executable,
        "-c",
        "import sys, time; sys.stdout.write('x' * 100_000 + '\\nend\\n'); sys.stdout.flush(); time.sleep(99)",
    ]
    supervisor = running([["one", "keep trying", *endless]])
    supervisor.until("end")
    assert max(map(len, supervisor.said)) < 40_000
    assert sum(line.count("x") for line in supervisor.said) == 100_000
