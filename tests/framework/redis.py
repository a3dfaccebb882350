"""A real Redis server for the test run, on a unix socket in the run's own home."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis


class RedisServer:
    """One `redis-server` process. `kill` and `start` may be called again and again; its append-only file survives."""

    def __init__(self, folder: Path, socket: Path) -> None:
        self.folder, self.socket = folder, socket
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for redis-py."""
        return f"unix://{self.socket}"

    @property
    def client(self) -> redis.Redis:
        """A fresh client."""
        return redis.Redis.from_url(self.url)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError(
                "redis-server is missing; `make test` installs it as root, else: apt-get install redis-server"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [
                program,
                "--port",
                "0",
                "--unixsocket",
                str(self.socket),
                "--dir",
                str(self.folder),
                "--save",
                "",
                "--appendonly",
                "yes",
                # With Redis's own fsync each second, a write waits in its memory while one before it is on its way to a
                # slow disk, and `kill` would lose what was acknowledged.
                "--appendfsync",
                "no",
                "--loglevel",
                "warning",
                "--daemonize",
                "no",
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                if self.client.ping():
                    return
            except redis.RedisError:
                time.sleep(0.02)
        raise RuntimeError("redis-server did not answer within 15 s")

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)
            self.process = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop the server for a while as a machine that swaps would: connections stay open, and nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The run's Redis, at the address that the settings name."""
    home = Path(os.environ["PYAGENT_TEST_HOME"])
    (home / "run").mkdir(parents=True, exist_ok=True)
    server = RedisServer(home / "redis", home / "run" / "redis.sock")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    client = redis_server.client
    client.flushall()
    yield client
    client.close()
