"""What the fleet's core computes with: plain data, no Redis, no clock of its own. Times are seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from workers.queue.fleet import RunningState
from workers.queue.request import LEVELS, Request

__all__ = [
    "LEVELS",
    "Action",
    "Admit",
    "Crew",
    "Device",
    "Machine",
    "Release",
    "Request",
    "Resources",
    "Running",
    "SendAgain",
    "Suspend",
]


@dataclass(slots=True, kw_only=True)
class Running:
    """A job that holds a slot, from its admission until its worker lets go of it."""

    request: Request
    rank: int
    """The level that protects it: its own, or the better one to which waiting had raised it when it was admitted."""
    admitted_at: float
    heard_at: float
    state: RunningState = "admitted"
    started_at: float = 0.0
    worker: str = ""
    """Host and process, "host:pid"; empty until it has begun."""
    tokens_per_s: float = 0.0
    asked_at: float = 0.0
    """When it was last asked to suspend."""

    @property
    def host(self) -> str:
        return self.worker.rpartition(":")[0] or self.request.gpu_host

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the entry from its JSON; fields that this version does not know are left out."""
        known = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        return cls(**{**known, "request": Request.from_dict(data["request"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """A Celery worker: how many jobs at once, of which queues, on which machine."""

    name: str
    host: str
    pid: int
    queues: tuple[str, ...]
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU of a machine."""

    host: str
    index: int
    name: str
    total_mb: int
    free_mb: int
    own_mb: int = 0
    """The part of what is taken that admitted jobs' processes hold; what others hold is never given away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A node process that announces itself."""

    name: str
    host: str
    pid: int
    devices: tuple[Device, ...] = ()


@dataclass(slots=True, kw_only=True)
class Resources:
    """What there is to give: filled from what workers and nodes announce."""

    crews: list[Crew] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    shares: dict[int, float] = field(default_factory=dict)
    """Weight by workspace; 1 where none is set."""

    @property
    def devices(self) -> list[Device]:
        return [device for machine in self.machines for device in machine.devices]


@dataclass(frozen=True, slots=True)
class Admit:
    """Take the run out of the waiting room and hand it to Celery."""

    running: Running


@dataclass(frozen=True, slots=True)
class SendAgain:
    """An admitted job that nobody took: hand it to Celery once more; a second delivery does no harm."""

    running: Running


@dataclass(frozen=True, slots=True)
class Suspend:
    """Ask the worker that holds the run under this fence to suspend it."""

    run_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class Release:
    """The run's slot is free again."""

    run_id: str
    fence: int


Action = Admit | SendAgain | Suspend | Release
