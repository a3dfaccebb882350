"""An installation that can be killed part by part with -9, and a clock for how soon its runs are worked on again."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import psutil
import psycopg
import redis

from tests.framework.postgres import PostgresServer
from tests.framework.stack import Stack

Victim = Literal["child", "worker", "broker", "postgres", "relay", "node", "flushall"]
LIMITS_S: Final[dict[Victim, float]] = {
    "child": 10.0,
    "worker": 30.0,
    "broker": 30.0,
    "postgres": 30.0,
    "relay": 30.0,
    "node": 30.0,
    "flushall": 30.0,
}
"""Within how long a run is worked on again: from the death, for the database from when it is back."""
HAS_POSTGRES: Final = os.environ.get("PYAGENT_STORM_DATABASE", "postgres") == "postgres"
WORDS: Final = {"broker": "valkey-server", "relay": "manage.py relay", "node": "workers.node"}
LEASE: Final = timedelta(seconds=15)
HELD: Final = ("running", "cancelling", "suspending")
FINAL: Final = ("finished", "failed", "cancelled", "dead")


@dataclass(frozen=True, slots=True)
class Mark:
    """How the row of a run stood at one moment."""

    status: str
    fence: int
    attempts: int
    worker: str
    heard_at: datetime | None
    """When its worker's lease was last prolonged."""
    finished_at: datetime | None

    @property
    def pid(self) -> int:
        return int(self.worker.rpartition(":")[2] or 0)


def _name(run_id: Any) -> str:
    return str(UUID(str(run_id)))


def _moment(at: Any) -> Any:
    """Return a moment as PostgreSQL gives it also where SQLite gave a text."""
    return datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at


class Ground:
    """What runs stand on: all processes of an installation, and its PostgreSQL server; None where it keeps its rows in SQLite."""

    def __init__(self, folder: Path, *, has_postgres: bool = True) -> None:
        self.postgres = PostgresServer() if has_postgres else None
        environment = {"DATABASE_URL": self.postgres.url} if self.postgres else {}
        self.stack = Stack(folder / "home", **environment)
        self._connection: psycopg.Connection | None = None

    def stop(self) -> None:
        self.stack.stop()
        if self.postgres is not None:
            self.postgres.stop()

    # --- looking -------------------------------------------------------------------------------------------------

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what the database says, past the web app.

        Raises:
            psycopg.OperationalError, sqlite3.OperationalError: it is away, or busy.
        """
        if self.postgres is None:
            address = f"file:{self.stack.home / 'pyagent.sqlite3'}?mode=ro"
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=10)) as reader:
                return reader.execute(query).fetchall()
        if self._connection is not None and not self._connection.closed:
            try:
                return self._connection.execute(query).fetchall()  # type: ignore[call-overload, no-any-return]
            except psycopg.OperationalError:
                self._connection.close()  # of a server that was killed
        self._connection = self.postgres.connect()
        return self._connection.execute(query).fetchall()  # type: ignore[call-overload, no-any-return]

    def marks(self) -> dict[str, Mark]:
        """Return how every run stands."""
        query = "SELECT id, status, fence, attempts, worker, lease_expires_at, finished_at FROM agents_run"
        return {
            _name(run_id): Mark(
                status, fence, attempts, worker, lease and _moment(lease) - LEASE, _moment(finished_at)
            )
            for run_id, status, fence, attempts, worker, lease, finished_at in self.rows(query)
        }

    def finished_steps(self, ids: Iterable[str]) -> dict[tuple[str, str], tuple[Any, ...]]:
        """Return every step of these runs that was committed as finished, by run and name, with what it came to."""
        among = ", ".join(f"'{UUID(one) if self.postgres else UUID(one).hex}'" for one in ids)
        if not among:
            return {}
        columns = "kind, title, status, duration_ms, input_tokens, output_tokens, detail"
        found = self.rows(
            f"SELECT run_id, step_id, {columns} FROM agents_step WHERE status IN ('ok', 'failed') AND run_id IN ({among})"
        )
        return {(_name(run_id), step_id): tuple(values) for run_id, step_id, *values in found}

    def change_sets(self) -> Counter[str]:
        """Return how many change sets each run has made."""
        return Counter(
            _name(run_id) for (run_id,) in self.rows("SELECT run_id FROM reviews_changeset") if run_id
        )

    def processes(self, word: str = "") -> list[psutil.Process]:
        """Return the installation's processes that have `word` in their command line."""
        assert self.stack.process is not None
        found = []
        for process in psutil.Process(self.stack.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if word in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def children(self) -> list[psutil.Process]:
        """Return the processes in which Celery runs its tasks."""
        workers = self.processes("celery")
        pids = {process.pid for process in workers}
        return [process for process in workers if process.ppid() in pids]

    # --- killing -------------------------------------------------------------------------------------------------

    def kill(self, victim: Victim, *, pid: int = 0, down_s: float = 1.0) -> set[int]:
        """Kill with -9, and bring back what no supervisor would; return the processes that died.

        Args:
            pid: Which child; a database is away for `down_s`.

        Raises:
            LookupError: there is no such process now.
        """
        if victim == "postgres":
            if self.postgres is None:
                raise LookupError("there is no PostgreSQL here")
            self.postgres.kill()
            time.sleep(down_s)
            self.postgres.start()
            return set()
        if victim == "flushall":
            with redis.Redis(unix_socket_path=str(self.stack.home / "run" / "valkey.sock")) as client:
                client.flushall()
            return set()
        if victim == "child":
            found = [process for process in self.children() if process.pid == pid]
        else:
            found = self.processes(WORDS.get(victim, "celery"))
        if not found:
            raise LookupError(f"no {victim} lives at the moment")
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return {process.pid for process in found}


@dataclass(slots=True)
class Wait:
    """A run that waits to be worked on again."""

    victims: list[Victim]
    fence: int
    since: datetime
    limit_s: float
    is_loss: bool


@dataclass
class RestartClock:
    """Measures from each death until the runs that stood on what died are worked on again.

    Worked on again is a run whose lease was prolonged after that, by an attempt with a higher fence when its own process died;
    or one that has ended. A death while a run still waits begins its time anew, with the longer of the limits; only that of a
    child that worked on something else does not.
    """

    waiting: dict[str, Wait] = field(default_factory=dict)
    took_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    late: list[str] = field(default_factory=list)

    def strike(self, victim: Victim, marks: dict[str, Mark], killed: Iterable[int], *, at: datetime) -> None:
        """Note a death. `marks` are from before it, `at` is when it came; for a database, when it was back."""
        dead = set(killed)
        for run_id, wait in self.waiting.items():
            if victim == "child" and not (run_id in marks and marks[run_id].pid in dead):
                continue
            wait.since, wait.limit_s = at, max(wait.limit_s, LIMITS_S[victim])
            wait.victims.append(victim)
        for run_id, mark in marks.items():
            is_loss = mark.pid in dead
            if mark.status not in HELD or (victim == "child" and not is_loss):
                continue
            wait = self.waiting.setdefault(run_id, Wait([victim], mark.fence, at, LIMITS_S[victim], is_loss))
            if is_loss and not wait.is_loss:
                wait.is_loss, wait.fence = True, mark.fence

    def look(self, marks: dict[str, Mark]) -> None:
        """Note who is worked on again."""
        now = datetime.now(UTC)
        for run_id, wait in list(self.waiting.items()):
            mark = marks[run_id]
            is_heard = mark.heard_at is not None and mark.heard_at > wait.since and mark.status != "queued"
            is_back = mark.status in FINAL or (is_heard and (mark.fence > wait.fence or not wait.is_loss))
            took_s = (now - wait.since).total_seconds()
            if is_back:
                del self.waiting[run_id]
                self.took_s[wait.victims[0] if len(wait.victims) == 1 else "several"].append(took_s)
            if is_back and took_s > wait.limit_s:
                self.late.append(f"{run_id} after {' and '.join(wait.victims)}: {took_s:.1f} s")

    def summary(self) -> str:
        """Return how long it took after each kind of death, and from the last of several."""
        return "; ".join(
            f"{victim} {len(took)} × median {sorted(took)[len(took) // 2]:.1f} s, most {max(took):.1f} s"
            for victim, took in sorted(self.took_s.items())
        )


def choose_child(ground: Ground, marks: dict[str, Mark], source: random.Random) -> int:
    """Return a process to kill: one that holds a run when there is one.

    Raises:
        LookupError: no child lives at the moment.
    """
    living = sorted(process.pid for process in ground.children())
    busy = sorted(mark.pid for mark in marks.values() if mark.status in HELD and mark.pid in living)
    return source.choice(busy or living)
