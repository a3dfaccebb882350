"""A real web process (Daphne) on the test run's database and Redis, and browser tabs as plain websocket clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from asgiref.sync import SyncToAsync
from django.db import connection
from django.test import Client
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.framework.redis import RedisServer
from tests.framework.stack import ROOT, free_port

MAKING_S = 300
NEEDS_DATABASE = {"db", "transactional_db", "django_db_setup"}


def database_url_of_tests() -> str:
    """Return the address of the database that the tests use, for another process."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}"


def let_go_of_the_database(executor: ThreadPoolExecutor) -> None:
    """Close the connections that the threads of a pool keep for their next task."""
    count = len(executor._threads)
    if count == 0:
        return
    together = threading.Barrier(count)  # so that each thread has one of the tasks

    def close() -> None:
        together.wait(30)
        connection.close()

    for done in [executor.submit(close) for _ in range(count)]:
        done.result()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the first test that uses the database the time to make it, on a busy machine too."""
    for item in items:
        if item.get_closest_marker("django_db") or NEEDS_DATABASE.intersection(
            getattr(item, "fixturenames", ())
        ):
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(MAKING_S))
            return


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The test database; PostgreSQL drops it only when no thread of the product is connected to it any more."""
    yield
    from webapp.asgi import http_application
    from webapp.realtime import db

    for executor in (db._executor, SyncToAsync.single_thread_executor, *http_application._free):
        let_go_of_the_database(executor)


class WebProcess:
    """One Daphne, in the test run's environment and what comes with `environment`."""

    def __init__(self, log: Path, **environment: str) -> None:
        self.port = free_port()
        self.origin = f"http://localhost:{self.port}"
        self.log, self.environment = log, environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, database_url: str) -> None:
        """Start it and wait until it answers."""
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database_url,
            "PYAGENT_LOG_LEVEL": "WARNING",
            **self.environment,
        }
        environment.pop("PYAGENT_TEST_DATABASE", None)  # its server runs already, at DATABASE_URL
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
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.origin}/healthz", timeout=2).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise RuntimeError(f"Daphne did not answer:\n{self.log.read_text(errors='replace')[-4000:]}")

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout=5)

    def rss_bytes(self) -> int:
        """Return its resident memory."""
        assert self.process is not None
        return int(psutil.Process(self.process.pid).memory_info().rss)


class Tab:
    """The workspace socket of one browser tab. It acknowledges what it reads, unless told not to."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.is_acknowledging = True
        self._next = 1

    def send(self, **message: Any) -> None:
        """Send one frame."""
        self.socket.send(json.dumps(message))

    def hello(self, epoch: str | None = None, seq: int = 0, **more: Any) -> dict[str, Any]:
        """Say from where to catch up; return the welcome."""
        self.send(type="hello", epoch=epoch, seq=seq, topics=[], **more)
        return self.wait_for("welcome")

    def read(self, timeout_s: float = 5.0) -> dict[str, Any]:
        """Return the next frame."""
        message: dict[str, Any] = json.loads(self.socket.recv(timeout=timeout_s))
        self.frames.append(message)
        if self.is_acknowledging:
            self.send(type="ack", frames=len(self.frames))
        return message

    def wait_for(
        self, kind: str, check: Callable[[dict[str, Any]], bool] = lambda _: True, *, timeout_s: float = 5.0
    ) -> dict[str, Any]:
        """Return the next frame of this type that passes the check."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = self.read(left)
            except TimeoutError:
                break
            if message["type"] == kind and check(message):
                return message
        raise AssertionError(f"no {kind} within {timeout_s} s, only {[f['type'] for f in self.frames]}")

    def event(self, kind: str, *, timeout_s: float = 5.0) -> dict[str, Any]:
        """Return the data of the next event of this type."""
        found = self.wait_for("event", lambda m: m["event"]["type"] == kind, timeout_s=timeout_s)
        return dict(found["event"]["data"])

    def seqs(self) -> list[int]:
        """Return the numbers of the workspace's events read so far."""
        return [f["seq"] for f in self.frames if f["type"] == "event" and f["group"] == "workspace"]

    def command(self, name: str, **args: Any) -> dict[str, Any]:
        """Return the reply to a command."""
        number, self._next = self._next, self._next + 1
        self.send(type="command", id=number, name=name, args=args)
        return self.wait_for("reply", lambda m: m["id"] == number)

    def close_code(self, *, timeout_s: float = 5.0) -> int | None:
        """Read until the server closes the socket; return the code."""
        deadline = time.monotonic() + timeout_s
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.read(left)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None
        except TimeoutError:
            pass
        raise AssertionError(f"still open after {timeout_s} s; read {[f['type'] for f in self.frames]}")

    def close(self) -> None:
        """Leave."""
        self.socket.close()


class Web:
    """Opens tabs of one web process; closes them after the test."""

    def __init__(self, process: WebProcess) -> None:
        self.process = process
        self._tabs: list[Tab] = []

    def tab(self, client: Client | None, workspace_id: int, **options: Any) -> Tab:
        """Return a tab with the cookies of a test client; nobody's for None. `origin=None` sends none."""
        headers = {}
        if client is not None:
            headers["Cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        options.setdefault("origin", self.process.origin)
        url = f"ws://localhost:{self.process.port}/ws/workspaces/{workspace_id}/events"
        tab = Tab(
            connect(url, additional_headers=headers, proxy=None, compression=None, legacy=True, **options)
        )
        self._tabs.append(tab)
        return tab

    def close(self) -> None:
        """Close all tabs."""
        for tab in self._tabs:
            tab.socket.close_socket()  # without the closing handshake, which waits for whatever was left unread


@pytest.fixture(scope="session")
def web_process(django_db_setup: None, redis_server: RedisServer) -> Iterator[WebProcess]:
    """The run's web process."""
    process = WebProcess(Path(os.environ["PYAGENT_TEST_HOME"]) / "daphne.log")
    process.start(database_url_of_tests())
    yield process
    process.stop()


@pytest.fixture
def web(web_process: WebProcess) -> Iterator[Web]:
    """The web process, to open tabs of."""
    opened = Web(web_process)
    yield opened
    opened.close()
