"""How workers and nodes make themselves known: a key each that fades within seconds of its owner's death.

Workers announce slots, nodes announce machines with their GPUs. The names stand in a set, so that the leader need not search all
keys, and each key expires by Redis' own clock, so that machines need not agree on the time.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final, Literal

import orjson
import redis

from workers.fleet.entries import Crew, Device, Machine

MEMBERS_KEY: Final = "pyagent:fleet:members"
ANNOUNCE_S: Final = 1.0
FADES_S: Final = 5
Kind = Literal["crew", "machine"]


def _key(kind: str, name: str) -> str:
    return f"pyagent:fleet:{kind}:{name}"


def announce(client: redis.Redis, member: Crew | Machine) -> None:
    """Say that a worker or a node is there; to be said again each `ANNOUNCE_S`.

    Raises:
        redis.RedisError: Redis is away.
    """
    key = _key("crew" if isinstance(member, Crew) else "machine", member.name)
    with client.pipeline(transaction=True) as pipe:
        pipe.sadd(MEMBERS_KEY, key)
        pipe.set(key, orjson.dumps(asdict(member)), ex=FADES_S)
        pipe.execute()


def retire(client: redis.Redis, member: Crew | Machine) -> None:
    """Say that a worker or a node goes: it gets no more jobs."""
    key = _key("crew" if isinstance(member, Crew) else "machine", member.name)
    with client.pipeline(transaction=True) as pipe:
        pipe.srem(MEMBERS_KEY, key)
        pipe.delete(key)
        pipe.execute()


def read_members(client: redis.Redis) -> tuple[list[Crew], list[Machine]]:
    """Return the workers and the nodes that are there, by name; forget those that have faded.

    Raises:
        redis.RedisError: Redis is away.
    """
    names: Any = client.smembers(MEMBERS_KEY)
    keys = sorted(names)
    if not keys:
        return [], []
    values: Any = client.mget(keys)
    gone = [key for key, value in zip(keys, values, strict=True) if value is None]
    if gone:
        client.srem(MEMBERS_KEY, *gone)
    crews: list[Crew] = []
    machines: list[Machine] = []
    for key, value in zip(keys, values, strict=True):
        if value is None:
            continue
        data: dict[str, Any] = orjson.loads(value)
        if key.startswith(b"pyagent:fleet:crew:"):
            crews.append(Crew(**{**data, "queues": tuple(data["queues"])}))
        else:
            devices = tuple(Device(**device) for device in data["devices"])
            machines.append(Machine(**{**data, "devices": devices}))
    return crews, machines
