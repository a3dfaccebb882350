"""Who is in a workspace and whether they are at the keyboard.

Presence is the largest load of a chat when every change is told to everybody at once. Here each web process writes its own
people into one hash per workspace and reads the whole hash back on a slow beat, and sockets are told differences only: the
cost grows with people plus changes, not with people times people.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Literal

import orjson
import redis.asyncio as aioredis

State = Literal["active", "idle"]
BEAT_S = 5.0
# Three beats: one lost beat makes nobody blink.
GONE_AFTER_S = 3 * BEAT_S
KEY_TTL_S = 120


@dataclass(frozen=True, slots=True)
class Seen:
    """One person in one workspace."""

    user_id: int
    state: State
    place: str

    def to_dict(self) -> dict[str, Any]:
        """Return what a browser is told."""
        return {"user_id": self.user_id, "state": self.state, "place": self.place}


def presence_key(workspace_id: int) -> str:
    """Return the key of the hash of one workspace's people."""
    return f"pyagent:workspace:{workspace_id}:presence"


class Presence:
    """What one web process knows of one workspace's people."""

    def __init__(self, workspace_id: int, *, clock: Callable[[], float] = time.time) -> None:
        self.workspace_id = workspace_id
        self._clock = clock
        self._process = token_hex(4)
        self._written: set[int] = set()
        self.people: dict[int, Seen] = {}

    async def beat(self, client: aioredis.Redis, local: Iterable[Seen]) -> list[dict[str, Any]]:
        """Write our people, read everybody, and return what changed since the last beat (`state` "gone" for who left)."""
        mine = {seen.user_id: seen for seen in merge(local)}
        key, now = presence_key(self.workspace_id), self._clock()
        async with client.pipeline(transaction=False) as pipe:
            if left := self._written - mine.keys():
                pipe.hdel(key, *(f"{user_id}:{self._process}" for user_id in left))
            if mine:
                fields = {
                    f"{s.user_id}:{self._process}": orjson.dumps([s.state, s.place, now])
                    for s in mine.values()
                }
                pipe.hset(key, mapping=fields)  # type: ignore[arg-type]
            pipe.expire(key, KEY_TTL_S)
            pipe.hgetall(key)
            replies = await pipe.execute()
        self._written = set(mine)
        found, stale = _read(replies[-1], now)
        if stale:
            await client.hdel(key, *stale)
        return self._differences({seen.user_id: seen for seen in merge(found)})

    def snapshot(self) -> list[dict[str, Any]]:
        """Return everybody, for a page that has just come."""
        return [seen.to_dict() for seen in self.people.values()]

    def _differences(self, now: dict[int, Seen]) -> list[dict[str, Any]]:
        changed = [seen.to_dict() for user_id, seen in now.items() if self.people.get(user_id) != seen]
        gone = [
            {"user_id": user_id, "state": "gone", "place": ""} for user_id in self.people.keys() - now.keys()
        ]
        self.people = now
        return changed + gone


def merge(seen: Iterable[Seen]) -> list[Seen]:
    """Return one entry per person: the tab they are active in counts, otherwise the last."""
    best: dict[int, Seen] = {}
    for item in seen:
        known = best.get(item.user_id)
        if known is None or known.state == "idle":
            best[item.user_id] = item
    return list(best.values())


def _read(fields: dict[bytes, bytes], now: float) -> tuple[list[Seen], list[bytes]]:
    found, stale = [], []
    for name, value in fields.items():
        state, place, at = orjson.loads(value)
        if now - at > GONE_AFTER_S:
            stale.append(name)
        else:
            found.append(Seen(int(name.partition(b":")[0]), state, place))
    return found, stale
