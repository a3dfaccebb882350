"""The whole product, started the way `make run` starts it, for journeys and browsers."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest

from tests.framework.operator import Operator

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """One installation with all its processes. What they print stands in `log`."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://localhost:{self.port}"
        self.log = home.parent / f"{home.name}.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home.parent),
            "LANG": "C.UTF-8",
            "PYAGENT_HOME": str(home),
            "PORT": str(self.port),
            "PYAGENT_MODEL_PORT": str(free_port()),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._operator: Operator | None = None

    def start(self, *, timeout_s: float = 60, is_first: bool = False) -> None:
        """Start the supervisor and wait until everything that is needed answers.

        Unless it `is_first`, the very first start of a new machine, a SQLite database comes with its tables.
        """
        database = self.home / "pyagent.sqlite3"
        if not (is_first or database.exists() or "DATABASE_URL" in self.environment):
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(migrated_database(), database)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers.supervisor"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait_ready(timeout_s=timeout_s)

    def wait_ready(self, *, timeout_s: float = 60) -> None:
        """Wait until /readyz says yes."""
        deadline = time.monotonic() + timeout_s
        answer = ""
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise RuntimeError(f"the supervisor ended with {self.process.returncode}:\n{self.tail()}")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as reply:
                    if reply.status == 200:
                        return
            except urllib.error.HTTPError as error:
                answer = error.read().decode(errors="replace")[:500]
            except OSError as error:
                answer = str(error)
            time.sleep(0.1)
        raise RuntimeError(f"not ready after {timeout_s} s ({answer}):\n{self.tail()}")

    def tail(self, lines: int = 60) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def setup_url(self) -> str:
        """Return the one-time URL that the first start printed."""
        found = re.findall(r"http://\S+/setup/\?token=[\w-]+", self.log.read_text(errors="replace"))
        assert found, f"no set-up URL in the log:\n{self.tail()}"
        return str(found[-1])

    def stop(self) -> None:
        """Press Ctrl-C and wait."""
        if self._operator is not None:
            self._operator.stop()
            self._operator = None
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=15)

    def manage(self, *arguments: str, stdin: str = "", timeout_s: float = 60) -> str:
        """Run an operator's command and return what it prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def operator(self) -> Operator:
        """The operator's commands, in one process for as long as the installation runs."""
        if self._operator is None:
            self._operator = Operator(self.environment)
        return self._operator

    def person(self, name: str, *, is_owner: bool = False) -> str:
        """Make an account and return its address."""
        email = f"{name}@example.org"
        more = ["--owner"] if is_owner else []
        self.operator.run(
            "createuser", email, "--password-stdin", "--name", name.title(), *more, stdin=PASSWORD + "\n"
        )
        return email

    def api(self, email: str, *scopes: str) -> httpx.Client:
        """Return a client of the REST API with a key of this person."""
        allowed = ",".join(scopes or ("read", "write", "run", "review", "apply", "admin"))
        key = self.operator.run("createapikey", email, "--scopes", allowed)
        return httpx.Client(
            base_url=f"{self.url}/api/v1/", headers={"Authorization": f"Bearer {key}"}, timeout=30
        )


@cache
def migrated_database() -> Path:
    """Return a SQLite file with all tables and no rows of people, made once in a test run."""
    home = Path(tempfile.mkdtemp(prefix="pyagent-tables-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "--skip-checks", "--verbosity", "0"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "PYAGENT_HOME": str(home)},
        check=True,
        timeout=120,
    )
    with sqlite3.connect(home / "pyagent.sqlite3") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return home / "pyagent.sqlite3"


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One running installation for the whole test run."""
    with tempfile.TemporaryDirectory(prefix="pyagent-stack-") as folder:
        running = Stack(Path(folder) / "home")
        running.start()
        yield running
        running.stop()
