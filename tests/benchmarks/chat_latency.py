"""How fast a message and an engine's event are seen with 50 people connected, and what idle sockets cost.

Run: `python -m tests.benchmarks.chat_latency [--people 50] [--messages 200] [--idle 1000]`. The stack is real: Redis, a migrated
database, and one Daphne as `make run` starts it, all in a temporary folder. A browser is here a websocket client that reads
what a tab reads: what a page then does with it is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect

from tests.benchmarks.noise import quantile, report_noise, verdict
from tests.framework.redis import RedisServer
from tests.framework.stack import ROOT, free_port
from workers.events import STREAM_KEY, RunStarted, StepStarted, to_wire

MESSAGE_MS, ENGINE_MS, IDLE_MB = 150, 200, 150
SEED = """
import json
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from webapp.accounts.models import User
from webapp.agents.models import Run
from webapp.workspaces.models import Membership
from webapp.workspaces.preparing import Source
from webapp.workspaces.services import create_workspace_now
people = [User.objects.create_user(f"p{n}@example.org", handle=f"p{n}") for n in range(PEOPLE)]
workspace = create_workspace_now(name="Bench", owner=people[0], source=Source())
Membership.objects.bulk_create(Membership(workspace=workspace, user=user) for user in people[1:])
keys = []
for user in people:
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session.save()
    keys.append(session.session_key)
run = Run.objects.create(workspace=workspace, requested_by=people[0], agent="coder", goal="x")
print(json.dumps({"run": str(run.pk), "workspace": workspace.pk, "channel": workspace.channels.get().pk, "sessions": keys}))
"""


class Installation:
    """Redis, database and one Daphne in a folder."""

    def __init__(self, folder: Path, people: int) -> None:
        home = folder / "home"
        (home / "run").mkdir(parents=True)
        self.redis = RedisServer(folder / "redis", home / "run" / "valkey.sock")
        self.port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYAGENT_HOME": str(home),
            "PORT": str(self.port),
            "PYAGENT_LOG_LEVEL": "ERROR",
        }
        self.people = people

    def start(self) -> dict[str, Any]:
        """Start everything; return who there is."""
        self.redis.start()
        self._manage("migrate", "--verbosity", "0")
        seeded: dict[str, Any] = json.loads(
            self._manage("shell", "-v", "0", stdin=SEED.replace("PEOPLE", str(self.people)))
        )
        command = [
            sys.executable,
            "-m",
            "daphne",
            "-b",
            "127.0.0.1",
            "-p",
            str(self.port),
            "webapp.asgi:application",
        ]
        self.web = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.relay = subprocess.Popen(
            [sys.executable, "manage.py", "relay"], cwd=ROOT, env=self.environment, stderr=subprocess.DEVNULL
        )
        return seeded

    def stop(self) -> None:
        """End everything."""
        for process in (self.web, self.relay):
            process.terminate()
            process.wait(timeout=15)
        self.redis.kill()

    def rss_bytes(self) -> int:
        """Return Daphne's resident memory."""
        return int(psutil.Process(self.web.pid).memory_info().rss)

    def _manage(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout


class Tab:
    """A tab that notes when it sees each message."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.frames = socket, 0
        self.seen: dict[str, float] = {}
        self.is_welcome = asyncio.Event()
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for text in self.socket:
            now = time.perf_counter()
            self.frames += 1
            message = json.loads(text)
            if message["type"] == "welcome":
                self.is_welcome.set()
            elif message["type"] == "event" and message["event"]["type"] == "StepStarted":
                self.seen[message["event"]["data"]["step"]["id"]] = now
            elif message["type"] == "event" and message["event"]["type"] == "MessagePosted":
                self.seen[message["event"]["data"]["client_id"]] = now
            if self.frames % 10 == 0:
                await self.socket.send(json.dumps({"type": "ack", "frames": self.frames}))


async def open_tab(port: int, seeded: dict[str, Any], person: int) -> Tab:
    """Return a tab of this person, welcomed."""
    address = f"ws://localhost:{port}/ws/workspaces/{seeded['workspace']}/events"
    for attempt in range(100):
        try:
            socket = await connect(
                address,
                origin=f"http://localhost:{port}",  # type: ignore[arg-type]
                additional_headers={"Cookie": f"sessionid={seeded['sessions'][person]}"},
                compression=None,
                proxy=None,
                open_timeout=60,
            )
            break
        except OSError:
            if attempt == 99:
                raise
            await asyncio.sleep(0.1)
    tab = Tab(socket)
    await socket.send(json.dumps({"type": "hello", "epoch": None, "seq": 0}))
    await asyncio.wait_for(tab.is_welcome.wait(), 60)
    return tab


async def open_many(port: int, seeded: dict[str, Any], count: int) -> list[Tab]:
    """Return tabs of everybody in turn, some opened at a time."""
    tabs: list[Tab] = []
    while len(tabs) < count:
        batch = range(len(tabs), min(count, len(tabs) + 20))
        tabs += await asyncio.gather(*(open_tab(port, seeded, n % len(seeded["sessions"])) for n in batch))
    return tabs


async def measure_latency(port: int, seeded: dict[str, Any], *, people: int, messages: int) -> dict[str, Any]:
    """Post messages from one tab, ten a second; return milliseconds until each of the others had seen them."""
    tabs = await open_many(port, seeded, people)
    author, others = tabs[0], tabs[1:]
    await asyncio.sleep(2)
    waits: list[float] = []
    last: list[float] = []
    for number in range(messages + 10):
        name = f"m{number}"
        args = {
            "channel_id": seeded["channel"],
            "text": f"message **{number}** with `code`",
            "client_id": name,
        }
        started = time.perf_counter()
        await author.socket.send(
            json.dumps({"type": "command", "id": number, "name": "chat.post_message", "args": args})
        )
        deadline = started + 10
        while not all(name in tab.seen for tab in others) and time.perf_counter() < deadline:
            await asyncio.sleep(0.002)
        if number >= 10:  # the first ones warm up imports and connections
            waits += [1000 * (tab.seen[name] - started) for tab in others]
            last.append(1000 * (max(tab.seen[name] for tab in others) - started))
        await asyncio.sleep(max(0.0, 0.26 - (time.perf_counter() - started)))
    for tab in tabs:
        await tab.socket.close()
    return {
        "p50_ms": round(quantile(waits, 50), 1),
        "p95_ms": round(quantile(waits, 95), 1),
        "p99_ms": round(quantile(waits, 99), 1),
        "slowest_reader_p95_ms": round(quantile(last, 95), 1),
    }


async def measure_engine(
    installation: Installation, seeded: dict[str, Any], *, people: int, events: int
) -> dict[str, Any]:
    """Let a run begin steps, ten a second; return milliseconds from the worker's write until each tab had seen them."""
    tabs = await open_many(installation.port, seeded, people)
    client = installation.redis.client
    common = {"run_id": seeded["run"], "fence": 1}
    client.xadd(
        STREAM_KEY, {"event": json.dumps(to_wire(RunStarted(**common, run_seq=1, worker="w", model="m")))}
    )
    await asyncio.sleep(1)
    waits: list[float] = []
    for number in range(2, events + 2):
        step = StepStarted(
            **common, run_seq=number, step_id=f"s{number}", parent_id=None, kind="thought", title="x"
        )
        started = time.perf_counter()
        client.xadd(STREAM_KEY, {"event": json.dumps(to_wire(step))})
        deadline = started + 10
        while not all(step.step_id in tab.seen for tab in tabs) and time.perf_counter() < deadline:
            await asyncio.sleep(0.002)
        waits += [1000 * (tab.seen[step.step_id] - started) for tab in tabs]
        await asyncio.sleep(max(0.0, 0.1 - (time.perf_counter() - started)))
    for tab in tabs:
        await tab.socket.close()
    return {
        "p50_ms": round(quantile(waits, 50), 1),
        "p95_ms": round(quantile(waits, 95), 1),
        "p99_ms": round(quantile(waits, 99), 1),
    }


async def measure_idle(installation: Installation, seeded: dict[str, Any], count: int) -> dict[str, Any]:
    """Open idle sockets; return what each costs."""
    warm = await open_many(installation.port, seeded, 20)
    await asyncio.sleep(2)
    before = installation.rss_bytes()
    tabs = await open_many(installation.port, seeded, count)
    await asyncio.sleep(7)
    grown = installation.rss_bytes() - before
    for tab in [*warm, *tabs]:
        tab.reader.cancel()
    return {
        "sockets": count,
        "grown_mb": round(grown / 1e6, 1),
        "kb_per_socket": round(grown / 1e3 / count, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--idle", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pyagent-bench-") as folder:
        installation = Installation(Path(folder), options.people)
        seeded = installation.start()
        try:
            latency = asyncio.run(
                measure_latency(installation.port, seeded, people=options.people, messages=options.messages)
            )
            engine = asyncio.run(
                measure_engine(installation, seeded, people=options.people, events=options.messages)
            )
            idle = asyncio.run(measure_idle(installation, seeded, options.idle))
        finally:
            installation.stop()
    report_noise()
    for name, found, goal_ms in (
        ("message posted to seen", latency, MESSAGE_MS),
        ("engine event to seen", engine, ENGINE_MS),
    ):
        told = verdict(found["p95_ms"] <= goal_ms, f"p95 <= {goal_ms} ms")
        print(
            f"  {name} by {options.people} people: {', '.join(f'{k} {v}' for k, v in found.items())}   {told}"
        )
    told = verdict(idle["grown_mb"] <= IDLE_MB, f"<= {IDLE_MB} MB")
    print(
        f"  {idle['sockets']:,} idle sockets: {idle['grown_mb']} MB above start, {idle['kb_per_socket']} KB each   {told}"
    )


if __name__ == "__main__":
    main()
