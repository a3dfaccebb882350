"""The one way news leaves a service: published once the transaction commits, numbered, and kept for those who reconnect.

Rows are the truth and events the news. When Redis is away the news is lost and the row is not: once it is back, the group is
told that something is missing (`Missed`), and its pages load afresh.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from functools import cache
from secrets import token_hex
from typing import Any, ClassVar, Protocol

import orjson
import redis
from django.conf import settings
from django.db import transaction

from webapp.events.groups import Group, person_group, workspace_group
from workers.queue.connecting import client_of
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
KEEP_EVENTS = 5_000
# What a group is sent in place of news that could not be published.
MISSED = orjson.dumps({"type": "Missed", "data": {}})
TTL_S = 7 * 24 * 3600

# One script, so that numbers and stream order agree however many processes publish. The epoch tells a client that its
# numbers are of another life of the counter (Redis was emptied); a stream of the former life would refuse the new numbers.
_PUBLISH = """
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if not epoch then epoch = ARGV[2]; redis.call('HSET', KEYS[2], 'epoch', epoch); redis.call('DEL', KEYS[1]) end
local seq = redis.call('HINCRBY', KEYS[2], 'seq', 1)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], seq .. '-0', 'epoch', epoch, 'body', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return seq
"""


class Event(Protocol):
    """A frozen dataclass of plain values whose `type` names what happened, in the past tense."""

    type: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


@cache
def redis_client() -> redis.Redis:
    """Return this process's Redis client, which gives up soon: a page never hangs on the news."""
    return client_of(settings.REDIS_URL)


def publish_on_commit(workspace_id: int, event: Event) -> None:
    """Tell everybody in the workspace, once the current transaction commits."""
    _on_commit(workspace_group(workspace_id), event)


def publish_to_person_on_commit(user_id: int, event: Event) -> None:
    """Tell one person's own tabs, once the current transaction commits."""
    _on_commit(person_group(user_id), event)


def _on_commit(group: Group, event: Event) -> None:
    body = orjson.dumps({"type": event.type, "data": dataclasses.asdict(event)}, default=str)
    transaction.on_commit(lambda: _publish(group, event.type, body), robust=True)


def _publish(group: Group, kind: str, body: bytes) -> None:
    try:
        _send(group, body)
    except redis.RedisError as error:
        log.warning(
            "news not published; pages will load afresh", group=group.name, event_type=kind, error=str(error)
        )
        _missed.add(group)


def _send(group: Group, body: bytes) -> None:
    redis_client().eval(_PUBLISH, 2, group.stream_key, group.seq_key, body, token_hex(6), KEEP_EVENTS, TTL_S)


class _MissedGroups:
    """Groups that missed news of this process, told so by a thread that lives until all of them know."""

    def __init__(self) -> None:
        self._groups: set[Group] = set()
        self._lock = threading.Lock()
        self._is_telling = False

    def add(self, group: Group) -> None:
        """Remember the group and see to it that it is told."""
        with self._lock:
            self._groups.add(group)
            if self._is_telling:
                return
            self._is_telling = True
        threading.Thread(target=self._tell, name="missed-news", daemon=True).start()

    def _tell(self) -> None:
        wait_s = 0.25
        while group := self._next():
            try:
                _send(group, MISSED)
            except redis.RedisError:
                time.sleep(wait_s)
                wait_s = min(wait_s * 2, 5.0)
                continue
            with self._lock:
                self._groups.discard(group)

    def _next(self) -> Group | None:
        with self._lock:
            group = next(iter(self._groups), None)
            self._is_telling = group is not None
            return group


_missed = _MissedGroups()
