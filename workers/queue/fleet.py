"""What the fleet's leader tells about itself, and the keys under which it is told what to do.

The leader writes its whole view as one JSON value, at once when something changes and at least once a second. It fades
when there is no leader any more, so that a page never shows a fleet that is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import orjson
import redis

STATE_KEY = "pyagent:fleet:state"
STATE_TTL_S = 15
INBOX_KEY = "pyagent:fleet:inbox"
"""The Redis stream of news for the leader; the hashes beside it hold what must not be lost with an entry."""
INBOX_LENGTH = 10_000
SHARES_KEY = "pyagent:fleet:shares"

RunningState = Literal["admitted", "running", "suspending"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """A GPU. `free_mb` is what its driver says, `reserved_mb` what admitted runs were promised."""

    index: int
    name: str
    total_mb: int
    free_mb: int
    reserved_mb: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A machine: its workers' queues and slots together, how many are taken, and its GPUs."""

    name: str
    host: str
    pid: int
    queues: list[str]
    slots: int
    busy: int
    devices: list[DeviceState]
    seen_at: float
    """Seconds since the epoch, by the leader's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRun:
    """A run that was submitted and not admitted yet, in the order in which they stand."""

    run_id: str
    workspace_id: int
    agent: str
    priority: str
    effective_priority: str
    """With its age; one of the same four."""
    since: float
    """When it began to wait for the first time, in seconds since the epoch; a preempted run keeps it."""
    reason: str
    """Why it does not run yet, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRun:
    """A run that holds a slot: admitted, at work, or asked to suspend."""

    run_id: str
    fence: int
    workspace_id: int
    agent: str
    priority: str
    node: str
    worker: str
    model: str
    tokens_per_s: float
    since: float
    state: RunningState


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetState:
    """Everything the leader knows, as of `at` (seconds since the epoch)."""

    at: float
    leader: str
    nodes: list[NodeState]
    waiting: list[WaitingRun]
    running: list[RunningRun]
    limits: dict[str, Any] = field(default_factory=dict)
    """By model key: running, concurrency, tokens_per_minute and tokens_used_per_minute; None where there is no limit."""

    def to_json(self) -> bytes:
        """Return what `from_json` reads back."""
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, text: bytes) -> FleetState:
        """Return the state that `to_json` wrote; fields of a newer leader are left out.

        Raises:
            ValueError: it cannot be read.
        """
        data: dict[str, Any] = orjson.loads(text)
        try:
            nodes = [
                _read(NodeState, {**node, "devices": [_read(DeviceState, one) for one in node["devices"]]})
                for node in data["nodes"]
            ]
            return cls(
                at=data["at"],
                leader=data["leader"],
                nodes=nodes,
                waiting=[_read(WaitingRun, run) for run in data["waiting"]],
                running=[_read(RunningRun, run) for run in data["running"]],
                limits=data.get("limits", {}),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the fleet's state cannot be read: {error}") from error


def _read(kind: type[T], values: Mapping[str, Any]) -> T:
    known = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return kind(**{name: value for name, value in values.items() if name in known})


def read_fleet(client: redis.Redis) -> FleetState | None:
    """Return what the leader says, or None when there is no leader.

    Raises:
        redis.RedisError: Redis is away.
        ValueError: what stands there cannot be read.
    """
    text: Any = client.get(STATE_KEY)
    return None if text is None else FleetState.from_json(text)
