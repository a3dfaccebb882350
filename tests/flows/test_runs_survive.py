"""A run of `@coder` on a model with a key, while what it stands on is killed under it: it always ends, once, and visibly."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from tests.framework.crashing import IS_FULL
from tests.framework.stack import ROOT, Stack, free_port

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]
KEY = "sk-canary-4f1d2c3b5a697887"
FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(2, 2) == 4\n",
}
FINAL = ("finished", "failed", "cancelled", "dead")


@pytest.fixture(scope="module")
def installation() -> Iterator[Stack]:
    """An installation of its own, since its processes are killed."""
    with tempfile.TemporaryDirectory(prefix="pyagent-survive-") as folder:
        running = Stack(Path(folder) / "home")
        try:
            running.start(timeout_s=180)
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    """A scripted model that takes its time, so that there is something to kill, and wants a key."""
    port = free_port()
    options = ["--port", str(port), "--brain", "coder", "--key", KEY, "--token-wait-s", "0.1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.framework.provider_double", *options],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait(10)


class Desk:
    """Calls `@coder` and looks at what becomes of it."""

    def __init__(self, client: httpx.Client, workspace_id: int) -> None:
        self.client, self.base = client, f"workspaces/{workspace_id}"

    def call(self, **fields: str) -> str:
        asked = {"agent": "coder", "goal": "fix the failing test in calc.py", **fields}
        reply = self.client.post(f"{self.base}/runs", json=asked)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["id"])

    def wait(
        self, run_id: str, until: Callable[[dict[str, Any]], bool], *, timeout_s: float = 90
    ) -> dict[str, Any]:
        ends_at = time.monotonic() + timeout_s
        while True:
            run: dict[str, Any] = self.client.get(f"{self.base}/runs/{run_id}").json()
            if until(run):
                return run
            assert time.monotonic() < ends_at, f"after {timeout_s} s the run is {run}"
            time.sleep(0.15)

    def call_and_wait_for_work(self) -> str:
        run_id = self.call()
        self.wait(run_id, lambda run: len(run["steps"]) >= 4)
        return run_id

    def end_of(self, run_id: str) -> dict[str, Any]:
        return self.wait(run_id, lambda run: run["status"] in FINAL)


@pytest.fixture(scope="module")
def desk(installation: Stack, model_url: str) -> Desk:
    client = installation.api(installation.person("ada", is_owner=True))
    workspace_id = client.post("workspaces", json={"name": "Calc"}).json()["id"]
    desk = Desk(client, workspace_id)
    ends_at = time.monotonic() + 20
    while client.get(desk.base).json()["state"] != "ready":
        assert time.monotonic() < ends_at
        time.sleep(0.1)
    for path, text in FILES.items():
        assert client.put(f"{desk.base}/file", json={"path": path, "text": text}).status_code == 200
    model = {
        "name": "double",
        "provider": "openai",
        "model": "scripted",
        "base_url": model_url,
        "key": KEY,
        "is_default": True,
    }
    assert client.post("models", json=model).status_code == 201
    return desk


def processes_of(installation: Stack, word: str) -> list[psutil.Process]:
    assert installation.process is not None
    children = psutil.Process(installation.process.pid).children(recursive=True)
    return [process for process in children if word in " ".join(process.cmdline())]


def kill(processes: list[psutil.Process]) -> None:
    assert processes
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def assert_solved_once(run: dict[str, Any]) -> None:
    assert run["status"] == "finished", {
        key: value for key, value in run.items() if key not in ("steps", "goal")
    }
    assert run["review_id"] is not None
    assert [step["kind"] for step in run["steps"]].count("proposal") == 1
    assert all(step["status"] == "ok" for step in run["steps"]), run["steps"]
    names = [step["id"] for step in run["steps"]]
    assert len(names) == len(set(names))
    assert run["cost_usd"] is None, "nobody told this model's price"


def test_gets_its_key_solves_the_task_and_offers_a_change(desk):
    assert_solved_once(desk.end_of(desk.call()))


def test_goes_on_when_the_process_that_ran_it_is_killed(desk, installation):
    run_id = desk.call_and_wait_for_work()
    workers = processes_of(installation, "celery")
    pids = {process.pid for process in workers}
    kill([process for process in workers if process.ppid() in pids])
    run = desk.end_of(run_id)
    assert_solved_once(run)
    assert run["attempts"] == 2


def test_goes_on_when_the_whole_worker_is_killed(desk, installation):
    run_id = desk.call_and_wait_for_work()
    kill(processes_of(installation, "celery"))
    run = desk.end_of(run_id)
    assert_solved_once(run)
    assert run["attempts"] == 2


def test_a_command_on_a_review_goes_on_when_its_whole_worker_is_killed(desk, installation):
    run = desk.end_of(desk.call())
    review = f"{desk.base}/reviews/{run['review_id']}"
    asked = {"command": "echo begun; sleep 4; echo survived", "is_whole": True}
    row = desk.client.post(f"{review}/evidence", json=asked).json()

    def wait_for(word: str) -> dict[str, Any]:
        ends_at = time.monotonic() + 150
        while True:
            (found,) = [one for one in desk.client.get(review).json()["evidence"] if one["id"] == row["id"]]
            if word in found["output"]:
                return found
            assert found["status"] == "running" and time.monotonic() < ends_at, found
            time.sleep(0.2)

    wait_for("begun")
    kill(processes_of(installation, "celery"))
    wait_for("survived")
    assert desk.client.get(review).json()["evidence_state"] in ("passed", "running")


def test_goes_on_when_redis_is_killed(desk, installation):
    run_id = desk.call_and_wait_for_work()
    kill(processes_of(installation, "valkey-server") or processes_of(installation, "valkey"))
    assert_solved_once(desk.end_of(run_id))


def test_goes_on_when_redis_is_emptied(desk, installation):
    """What Redis holds is only in flight: the run's rows know the way on, and so does the next one."""
    run_id = desk.call_and_wait_for_work()
    with redis.Redis(unix_socket_path=str(installation.home / "run" / "valkey.sock")) as client:
        client.flushall()
    assert_solved_once(desk.end_of(run_id))
    assert_solved_once(desk.end_of(desk.call()))


def test_goes_on_when_the_relay_is_killed(desk, installation):
    run_id = desk.call_and_wait_for_work()
    kill(processes_of(installation, "manage.py relay") or processes_of(installation, "relay"))
    assert_solved_once(desk.end_of(run_id))


def test_makes_room_for_a_critical_run_and_goes_on_by_itself(desk):
    lower = [desk.call(priority="low") for _ in range(2)]
    for run_id in lower:
        desk.wait(run_id, lambda run: len(run["steps"]) >= 4)
    urgent = desk.call(priority="critical")
    began = desk.wait(urgent, lambda run: run["status"] != "queued")
    assert began["status"] == "running"
    rows = [desk.client.get(f"{desk.base}/runs/{run_id}").json() for run_id in lower]
    assert sorted(row["status"] for row in rows) == ["queued", "running"]
    assert [row["suspend_reason"] for row in rows if row["status"] == "queued"] == ["preempted"]
    for run_id in (urgent, *lower):
        run = desk.end_of(run_id)
        assert_solved_once(run)
        assert run["attempts"] == 1, "to make room is no loss"


def test_stops_when_a_person_says_so(desk):
    run_id = desk.call_and_wait_for_work()
    assert desk.client.post(f"{desk.base}/runs/{run_id}/cancel").json()["status"] == "cancelling"
    run = desk.wait(run_id, lambda run: run["status"] in FINAL, timeout_s=15)
    assert run["status"] == "cancelled"
    # It may have edited something by then; what is offered is said, and what is said is offered.
    assert (run["review_id"] is not None) == ("offered for review" in run["error_message"])


# --- many runs, random kills -----------------------------------------------------------------------------------------

SEED = 20261126
RUNS, KILLS = (100, 200) if IS_FULL else (12, 10)
MAX_ATTEMPTS = 3
"""A run that lost its worker so often is given up at the next loss, so nobody is killed under it any more."""
AT_ONCE = 4


class Storm:
    """Calls runs, kills what they stand on at random moments of a fixed seed, and notes each finished step that it sees."""

    def __init__(self, desk: Desk, installation: Stack) -> None:
        self.desk, self.installation = desk, installation
        self.random = random.Random(SEED)
        self.runs: dict[str, dict[str, Any]] = {}
        self.finished: dict[tuple[str, str], dict[str, Any]] = {}
        self.lost: list[str] = []
        self.kills: Counter[str] = Counter()

    def look(self) -> None:
        """Read the runs that have not ended; a finished step that is gone, or was done again, is lost."""
        for run_id in list(self.runs):
            if self.runs[run_id].get("status") in FINAL:
                continue
            reply = self.desk.client.get(f"{self.desk.base}/runs/{run_id}")
            if reply.status_code != 200:
                continue
            run: dict[str, Any] = reply.json()
            steps = {step["id"]: step for step in run["steps"] if step["status"] in ("ok", "failed")}
            for (owner, step_id), seen in self.finished.items():
                if owner == run_id and steps.get(step_id) != seen:
                    self.lost.append(f"{run_id} {step_id}: {seen} became {steps.get(step_id)}")
            self.finished |= {(run_id, step_id): step for step_id, step in steps.items()}
            self.runs[run_id] = run

    @property
    def open(self) -> list[dict[str, Any]]:
        return [run for run in self.runs.values() if run.get("status") not in FINAL]

    def strike(self) -> None:
        """Kill something; a worker only while no run would be given up for it."""
        targets = ["valkey", "flushall", "relay", "node"]
        if all(run.get("attempts", 1) < MAX_ATTEMPTS for run in self.open):
            targets += ["child", "worker"] * 2
        target = self.random.choice(targets)
        self.kills[target] += 1
        workers = processes_of(self.installation, "celery")
        pids = {process.pid for process in workers}
        if target == "child":
            kill([self.random.choice([one for one in workers if one.ppid() in pids] or workers)])
        elif target == "worker":
            kill(workers)
        elif target == "flushall":
            with redis.Redis(unix_socket_path=str(self.installation.home / "run" / "valkey.sock")) as client:
                client.flushall()
        else:
            words = {"valkey": "valkey-server", "relay": "manage.py relay", "node": "workers.node"}
            kill(processes_of(self.installation, words[target]))

    def blow(self) -> None:
        """Go on until all runs have ended and all kills are done."""
        strikes_at = time.monotonic() + self.random.uniform(2, 6)
        called = 0
        while called < RUNS or self.open:
            while called < RUNS and len(self.open) < AT_ONCE:
                self.runs[self.desk.call()] = {}
                called += 1
            self.look()
            if time.monotonic() >= strikes_at and self.kills.total() < KILLS and self.open:
                with contextlib.suppress(psutil.NoSuchProcess, AssertionError, redis.RedisError):
                    self.strike()  # what has just died and is not back yet cannot be killed
                strikes_at = time.monotonic() + self.random.uniform(3, 9)
            time.sleep(0.3)


@pytest.mark.timeout(7200 if IS_FULL else 900)
def test_every_run_ends_once_and_no_finished_step_is_lost_whatever_is_killed(desk, installation, capsys):
    storm = Storm(desk, installation)
    storm.blow()
    with capsys.disabled():
        print(
            f"\n{RUNS} runs, kills {dict(storm.kills)}, {len(storm.finished)} finished steps, {len(storm.lost)} lost"
        )
    assert storm.lost == []
    for run_id, run in storm.runs.items():
        if run["status"] != "finished":
            lines = installation.log.read_text(errors="replace").splitlines()
            print("\n".join(line for line in lines if run_id in line and "GET" not in line))
        assert_solved_once(run)


def test_leaves_the_key_nowhere(desk, installation):
    """After all of the above: not in a file of the installation, not in a log, not in what any process was told."""
    assert KEY not in installation.log.read_text(errors="replace")
    found = [
        path
        for path in installation.home.rglob("*")
        if path.is_file() and not path.is_symlink() and KEY.encode() in path.read_bytes()
    ]
    assert found == []
    for process in processes_of(installation, ""):
        assert KEY not in " ".join(process.cmdline())
        assert KEY not in repr(process.environ())
