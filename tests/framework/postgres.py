"""A real PostgreSQL server for the test run, on a unix socket, with a data folder of its own."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import psutil
import psycopg

PORT = 54329


def _tools() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise RuntimeError(
            "PostgreSQL is missing; `make test` installs it as root, else: apt-get install postgresql"
        )
    return found[-1].parent


def _command(arguments: list[str]) -> list[str]:
    # PostgreSQL refuses to run as root; Debian's package made a user for it.
    if os.geteuid() == 0:
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *arguments]
    return arguments


class PostgresServer:
    """One server process in a temporary folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pyagent-pg-"))
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        tools = _tools()
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        subprocess.run(
            _command(
                [
                    str(tools / "initdb"),
                    "-D",
                    str(self.folder / "data"),
                    "-U",
                    "pyagent",
                    "-A",
                    "trust",
                    "-E",
                    "UTF8",
                ]
            ),
            check=True,
            capture_output=True,
            timeout=60,
            env=environment,
            cwd="/",
        )
        self.pg_ctl = str(tools / "pg_ctl")
        self.start()
        subprocess.run(
            [
                "psql",
                "-h",
                str(self.folder),
                "-p",
                str(PORT),
                "-U",
                "pyagent",
                "-d",
                "postgres",
                "-c",
                "CREATE DATABASE pyagent",
            ],
            check=True,
            capture_output=True,
            timeout=30,
            env=environment,
            cwd="/",
        )

    @property
    def url(self) -> str:
        """The address for Django."""
        return f"postgres://pyagent@{str(self.folder).replace('/', '%2F')}:{PORT}/pyagent"

    @property
    def pid(self) -> int:
        """The postmaster's process number."""
        return int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        # Without fsync a killed server loses nothing that it acknowledged, only a machine that loses its power would.
        options = (
            f"-k {self.folder} -p {PORT} -c listen_addresses='' -c shared_buffers=64MB "
            "-c fsync=off -c full_page_writes=off"
        )
        subprocess.run(
            _command(
                [
                    self.pg_ctl,
                    "-D",
                    str(self.folder / "data"),
                    "-o",
                    options,
                    "-l",
                    str(self.folder / "log"),
                    "-w",
                    "start",
                ]
            ),
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            cwd="/",
        )

    def kill(self) -> None:
        """End all processes of the server with SIGKILL; `start` brings it back."""
        postmaster = psutil.Process(self.pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)

    def connect(self) -> psycopg.Connection:
        """Return a connection that commits by itself, past the web app."""
        return psycopg.connect(
            host=str(self.folder), port=PORT, user="pyagent", dbname="pyagent", autocommit=True
        )

    def stop(self) -> None:
        """Stop the server at once and remove its folder."""
        subprocess.run(
            _command([self.pg_ctl, "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop"]),
            check=False,
            stdout=subprocess.DEVNULL,
            timeout=60,
            cwd="/",
        )
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def server() -> PostgresServer:
    """Return the run's server, started at the first call and stopped when the process ends."""
    started = PostgresServer()
    atexit.register(started.stop)
    return started


def server_url() -> str:
    """Return the address of the run's server."""
    return server().url
