"""A fleet without Redis: a core, a clock that is moved by hand, and a hand that plays the workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from workers.fleet.core import FleetCore
from workers.fleet.entries import (
    LEVELS,
    Action,
    Admit,
    Crew,
    Device,
    Machine,
    Release,
    Request,
    Resources,
    Suspend,
)

START = 1_795_000_000.0


def request(run_id: str, priority: str = "standard", **fields: Any) -> Request:
    plain: dict[str, Any] = {"workspace_id": 1, "agent": "coder", "task": "run", "fence": 1}
    return Request(run_id=run_id, level=LEVELS.index(priority), **{**plain, **fields})


def crew(slots: int, *queues: str, host: str = "one") -> Crew:
    return Crew(name=f"{host}-{queues}", host=host, pid=1, queues=queues or ("cpu", "gpu"), slots=slots)


def gpu(index: int = 0, *, host: str = "one", total_mb: int = 80_000, **fields: int) -> Device:
    return Device(
        **{"host": host, "index": index, "name": "H100", "total_mb": total_mb, "free_mb": total_mb, **fields}  # type: ignore[arg-type]
    )


class Fleet:
    """Submits, moves time, and answers for workers that take what they are handed at once."""

    def __init__(self, slots: int = 2, *, crews: Sequence[Crew] = (), devices: Sequence[Device] = ()) -> None:
        self.now = START
        self.core = FleetCore()
        self.set(crews or [crew(slots)], devices)
        self.admitted: list[str] = []
        self.suspended: list[str] = []

    def set(self, crews: Sequence[Crew], devices: Sequence[Device] = ()) -> None:
        hosts = sorted({one.host for one in crews} | {device.host for device in devices})
        machines = [
            Machine(name=host, host=host, pid=1, devices=tuple(d for d in devices if d.host == host))
            for host in hosts
        ]
        self.core.resources = Resources(
            crews=list(crews), machines=machines, shares=self.core.resources.shares
        )

    def submit(self, run_id: str, priority: str = "standard", **fields: Any) -> list[Action]:
        return self.core.submit(request(run_id, priority, **fields), now=self.now)

    def decide(self, *, after_s: float = 0.0, starts: bool = True) -> list[Action]:
        """Let time pass, decide, and let workers take what was admitted; return the actions."""
        self.now += after_s
        actions = self.core.decide(now=self.now)
        for action in actions:
            if isinstance(action, Admit):
                self.admitted.append(action.running.request.run_id)
                if starts:
                    self.beat(action.running.request.run_id)
            elif isinstance(action, Suspend):
                self.suspended.append(action.run_id)
        return actions

    def beat(self, run_id: str, *, tokens_per_s: float = 0.0) -> None:
        run = self.core.running[run_id]
        host = run.request.gpu_host or "one"
        self.core.hear(run.request, worker=f"{host}:7", tokens_per_s=tokens_per_s, now=self.now)

    def beat_all(self) -> None:
        for run_id in list(self.core.running):
            self.beat(run_id)

    def end(self, run_id: str, *, reason: str = "") -> list[Action]:
        run = self.core.running[run_id]
        return self.core.leave(run_id, run.request.fence, reason=reason, now=self.now)

    def let_go(self, run_id: str) -> None:
        """The worker suspends the run, and the web app rings for it again with a higher fence."""
        old = self.core.running[run_id].request
        self.end(run_id, reason="suspended")
        fields = {
            "workspace_id": old.workspace_id,
            "model_key": old.model_key,
            "concurrency": old.concurrency,
        }
        self.submit(run_id, LEVELS[old.level], fence=old.fence + 1, **fields)

    @property
    def running(self) -> set[str]:
        return set(self.core.running)


def released(actions: Sequence[Action]) -> list[str]:
    return [action.run_id for action in actions if isinstance(action, Release)]


@pytest.fixture
def fleet() -> Fleet:
    """Two slots, no GPU."""
    return Fleet()
