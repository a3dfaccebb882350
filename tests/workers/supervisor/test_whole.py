"""The whole of PyAgent, as `make run` starts it: one URL, nothing left behind by Ctrl-C or by a kill."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.flow, pytest.mark.timeout(180)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PyAgent:
    """One start of everything, in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        env = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("PYAGENT_", "DJANGO_", "REDIS_", "DATABASE_"))
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workers.supervisor"],
            cwd=ROOT,
            env={
                **env,
                "PYAGENT_HOME": str(home),
                "PORT": str(self.port),
                "PYAGENT_MODEL_PORT": str(free_port()),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []

    def until(self, wanted: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if re.search(wanted, line):
                return line
        raise AssertionError("".join(self.said))

    def end(self) -> tuple[int, float]:
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.stdout is not None
        self.said += self.process.stdout.readlines()
        return self.process.wait(20), time.monotonic() - began

    def everybody(self) -> list[psutil.Process]:
        """Return the supervisor and every process below it."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]


def left(of: list[psutil.Process], *, within_s: float = 5.0) -> list[psutil.Process]:
    """Return which of them still run after at most `within_s`."""
    gone, alive = psutil.wait_procs(of, timeout=within_s)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def cpu_seconds(process: psutil.Process) -> float:
    """Return the processor time of a process and of its children that have ended."""
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole") / "home"


@pytest.fixture
def pyagent(home: Path) -> Iterator[PyAgent]:
    started = PyAgent(home)
    yield started
    started.process.kill()
    started.process.wait()


def test_prints_one_url_serves_it_and_ends_within_five_seconds(pyagent: PyAgent) -> None:
    url = pyagent.until("PyAgent is ready: ").split("ready: ")[1].strip()
    assert url.startswith(f"http://localhost:{pyagent.port}/setup/?token=")
    with urllib.request.urlopen(url.replace("localhost", "127.0.0.1"), timeout=10) as page:
        assert page.status == 200
    pyagent.until("worker .*ready")
    everybody = pyagent.everybody()
    code, seconds = pyagent.end()
    assert code == 0
    assert seconds < 5.0
    assert left(everybody, within_s=0.5) == []
    assert sum("PyAgent is ready" in line for line in pyagent.said) == 1
    assert not [line for line in pyagent.said if "Traceback" in line]


def test_leaves_nothing_when_it_is_killed_in_full_swing(pyagent: PyAgent) -> None:
    pyagent.until("worker .*ready")
    everybody = pyagent.everybody()
    # Supervisor, guardian, valkey, web, relay, node, worker with two children, model.
    assert len(everybody) >= 10
    pyagent.process.kill()
    pyagent.process.wait()
    assert left(everybody) == []


def test_starts_again_on_the_same_home_after_a_kill(pyagent: PyAgent) -> None:
    pyagent.until("PyAgent is ready")
    # The promise is 10 s on a quiet machine with two cores; the work behind it can be judged on a busy one too.
    assert sum(cpu_seconds(process) for process in pyagent.everybody()) < 20
    assert pyagent.end()[0] == 0
