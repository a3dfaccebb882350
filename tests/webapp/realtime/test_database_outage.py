"""PostgreSQL killed under a web process and a relay: nothing acknowledged is lost, and both go on without a restart."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest
import redis

from tests.framework.postgres import PostgresServer
from tests.framework.redis import RedisServer
from tests.framework.stack import ROOT, free_port
from workers.events import STREAM_KEY, RunStarted, StepStarted, to_wire

pytestmark = pytest.mark.timeout(180)
SEED = """
import json
from webapp.accounts.models import User
from webapp.accounts.services import create_api_key
from webapp.agents.models import Run
from webapp.workspaces.preparing import Source
from webapp.workspaces.services import create_workspace_now
user = User.objects.create_user("ada@example.org", handle="ada")
workspace = create_workspace_now(name="Outage", owner=user, source=Source())
run = Run.objects.create(workspace=workspace, requested_by=user, agent="coder", goal="x")
key = create_api_key(user=user, name="test", scopes=["read", "write"])[1]
print(json.dumps({"workspace": workspace.pk, "channel": workspace.channels.get().pk, "run": str(run.pk), "key": key}))
"""


class Outage:
    """An installation on a PostgreSQL of its own: one web process and one relay."""

    def __init__(self, folder: Path) -> None:
        home = folder / "home"
        (home / "run").mkdir(parents=True)
        self.postgres = PostgresServer()
        self.redis = RedisServer(folder / "redis", home / "run" / "valkey.sock")
        self.redis.start()
        port = free_port()
        self.url = f"http://localhost:{port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYAGENT_HOME": str(home),
            "DATABASE_URL": self.postgres.url,
            "PYAGENT_LOG_LEVEL": "ERROR",
        }
        self.manage("migrate", "-v", "0")
        seeded = orjson.loads(self.manage("shell", "-v", "0", stdin=SEED))
        self.run_id, self.channel = seeded["run"], seeded["channel"]
        self.messages_url = (
            f"{self.url}/api/v1/workspaces/{seeded['workspace']}/channels/{self.channel}/messages"
        )
        self.headers = {"Authorization": f"Bearer {seeded['key']}"}
        quiet = {
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "cwd": ROOT,
            "env": self.environment,
        }
        daphne = ["-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "webapp.asgi:application"]
        self.processes = [
            subprocess.Popen([sys.executable, *daphne], **quiet),  # type: ignore[call-overload]
            subprocess.Popen([sys.executable, "manage.py", "relay"], **quiet),  # type: ignore[call-overload]
            subprocess.Popen([sys.executable, "-m", "workers.node"], **quiet),  # type: ignore[call-overload]
        ]
        self.wait_ready(60)

    def manage(self, *arguments: str, stdin: str = "") -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, input=stdin, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wait_ready(self, timeout_s: float) -> float:
        started = time.monotonic()
        while time.monotonic() - started < timeout_s:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return time.monotonic() - started
            time.sleep(0.1)
        raise AssertionError(f"not ready within {timeout_s} s")

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=15)
        self.redis.kill()
        self.postgres.stop()

    def rows(self, query: str) -> list[tuple]:
        with self.postgres.connect() as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def outage(tmp_path: Path) -> Iterator[Outage]:
    running = Outage(tmp_path)
    yield running
    running.stop()


def test_loses_nothing_acknowledged_and_serves_again_without_a_restart(outage: Outage):
    acknowledged: list[str] = []
    refused: list[httpx.Response] = []
    is_over = threading.Event()

    def talk() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            text = f"message {number}"
            try:
                reply = httpx.post(
                    outage.messages_url, json={"text": text}, headers=outage.headers, timeout=30
                )
            except httpx.HTTPError:
                continue
            if reply.status_code == 201:
                acknowledged.append(text)
            else:
                refused.append(reply)
                time.sleep(0.05)

    writer = threading.Thread(target=talk)
    writer.start()
    client = redis.Redis.from_url(outage.redis.url)
    events = [RunStarted(run_id=outage.run_id, fence=1, run_seq=1, worker="w", model="m")]
    events += [
        StepStarted(
            run_id=outage.run_id,
            fence=1,
            run_seq=n,
            step_id=f"s{n}",
            parent_id=None,
            kind="thought",
            title="x",
        )
        for n in range(2, 60)
    ]
    for number, event in enumerate(events):
        client.xadd(STREAM_KEY, {"event": orjson.dumps(to_wire(event))})
        if number == 20:
            outage.postgres.kill()
        time.sleep(0.02)
    time.sleep(1)
    assert httpx.get(f"{outage.url}/readyz", timeout=10).status_code == 503
    page = httpx.get(f"{outage.url}/accounts/login/", timeout=10, headers={"Cookie": "sessionid=x"})
    outage.postgres.start()
    took = outage.wait_ready(20)
    time.sleep(1)
    is_over.set()
    writer.join(timeout=40)

    assert took < 10, f"{took:.1f} s until ready"
    assert all(process.poll() is None for process in outage.processes)
    stored = {text for (text,) in outage.rows("SELECT text FROM chat_message")}
    assert set(acknowledged) <= stored
    assert len(acknowledged) > 5
    assert refused, "the outage was not noticed"
    for reply in refused:
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "unavailable"), reply.text[:300]
        assert reply.headers["Retry-After"]
    assert page.status_code in (200, 503)
    numbers = [number for (number,) in outage.rows("SELECT number FROM chat_message ORDER BY number")]
    assert numbers == list(range(1, len(numbers) + 1))
    deadline = time.monotonic() + 15
    while outage.rows("SELECT last_seq FROM agents_run") != [(59,)]:
        assert time.monotonic() < deadline, "the relay did not go on"
        time.sleep(0.1)
    assert outage.rows("SELECT count(*) FROM agents_step") == [(58,)]
