"""The relay: reads engine events from their Redis stream, writes them as rows, and answers the workers.

One process, so that a run's events are written in order. It outlives Redis and the database: while one of them is away it
waits and tries again with what it holds, and nothing is acknowledged before it is committed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event as Flag
from typing import Any, TypeVar

import orjson
import redis
from django.conf import settings
from django.db import close_old_connections, connection

from webapp.errors import DATABASE_AWAY
from webapp.events.registry import periodic_functions
from webapp.realtime.recorder import Recorded, record_batch, skip_event
from workers.events import DEAD_KEY, RELAY_GROUP, STREAM_KEY, EngineEvent, acks_key, from_wire
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
CONSUMER = "relay"
HEARTBEAT_KEY = "pyagent:relay:heartbeat"
HEARTBEAT_S = 3.0
BATCH = 100
BLOCK_MS = 500
RECLAIM_S = 10.0
ACK_TTL_S = 3600
MAX_BACKOFF_S = 2.0
# A handler that fails this often with a database that works is given up, so that the events behind it get through.
TRIES = 3
# Locks and deadlocks come with a database that answers; they pass, so they are given more time.
BUSY_TRIES = 20
ACKS_KEPT = 16
OUTCOMES: Counter[str] = Counter()
T = TypeVar("T")


class Stopped(Exception):
    """The relay was asked to stop while it waited for the database."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the stream; `event` is None when it cannot be read, and `problem` says why."""

    id: bytes
    fields: dict[bytes, bytes]
    event: EngineEvent | None
    problem: str = ""


def read_entry(entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    """Return the entry with its event."""
    try:
        event = from_wire(orjson.loads(fields[b"event"]))
        if (
            not isinstance(event.run_seq, int)
            or not isinstance(event.fence, int)
            or not isinstance(event.run_id, str)
        ):
            raise ValueError("run_id, fence or run_seq of another type")
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        return Entry(entry_id, fields, None, f"{type(error).__name__}: {error}")
    return Entry(entry_id, fields, event)


class Relay:
    """Reads, records, answers, until asked to stop."""

    def __init__(
        self, client: redis.Redis | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = client or redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=10, socket_connect_timeout=2
        )
        self._clock = clock
        self._stop = Flag()
        self._has_group = False
        self._reclaimed_at = float("-inf")
        self._beaten_at = float("-inf")
        self._due: dict[str, float] = {}

    def stop(self) -> None:
        """Finish the batch at hand and return from `run`."""
        self._stop.set()

    def run(self) -> None:
        """Work until stopped, through outages of Redis and of the database."""
        wait_s = 0.1
        while not self._stop.is_set():
            try:
                self.turn()
                wait_s = 0.1
            except Stopped:
                return
            except redis.ResponseError as error:
                # The stream went with everything else in Redis: workers send again what was not acknowledged.
                log.warning("Redis was emptied; the relay begins a new stream", error=str(error))
                self._has_group = False
                self._stop.wait(wait_s)
            except redis.RedisError as error:
                log.warning("Redis is away; the relay waits", error=str(error), wait_s=wait_s)
                self._has_group = False
                self._stop.wait(wait_s)
                wait_s = min(wait_s * 2, MAX_BACKOFF_S)

    def turn(self, *, block_ms: int = BLOCK_MS) -> int:
        """Do one round: read what is there, record and answer it, do what is due. Return how many entries were handled."""
        self._ensure_group()
        entries = self._reclaim() or self._read(block_ms)
        if entries:
            self.handle(entries)
        self._run_periodic()
        self._beat()
        return len(entries)

    # --- reading -------------------------------------------------------------------------------------------------

    def _ensure_group(self) -> None:
        if self._has_group:
            return
        try:
            self._redis.xgroup_create(STREAM_KEY, RELAY_GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._has_group = True
        self._reclaimed_at = float("-inf")

    def _read(self, block_ms: int) -> list[Entry]:
        reply: Any = self._redis.xreadgroup(
            RELAY_GROUP, CONSUMER, {STREAM_KEY: ">"}, count=BATCH, block=block_ms
        )
        streams = reply.items() if isinstance(reply, dict) else reply or []
        return [read_entry(entry_id, fields) for _, entries in streams for entry_id, fields in entries]

    def _reclaim(self) -> list[Entry]:
        """Return entries that were read and never answered, by an earlier relay or by a turn that Redis cut short."""
        if self._clock() - self._reclaimed_at < RECLAIM_S:
            return []
        reply: Any = self._redis.xautoclaim(
            STREAM_KEY, RELAY_GROUP, CONSUMER, min_idle_time=0, start_id="0-0", count=BATCH
        )
        entries = [read_entry(entry_id, fields) for entry_id, fields in reply[1] if fields]
        if not entries:
            self._reclaimed_at = self._clock()
        return entries

    # --- recording -----------------------------------------------------------------------------------------------

    def handle(self, entries: Sequence[Entry]) -> None:
        """Record the entries and answer; returns only when each is committed, or set aside as unreadable."""
        for entry in entries:
            if entry.event is None:
                self._set_aside(entry, entry.problem)
        good = [entry for entry in entries if entry.event is not None]
        if not good:
            return
        try:
            results = self._through_outages(
                lambda: record_batch([e.event for e in good if e.event is not None])
            )
        except Stopped:
            raise
        except Exception as error:
            log.warning(
                "batch not recorded; its events are tried one by one", events=len(good), error=str(error)
            )
            for entry in good:
                self._record_one(entry)
            return
        self._answer(good, results)

    def _record_one(self, entry: Entry) -> None:
        event = entry.event
        assert event is not None  # noqa: S101  only readable entries come here
        for attempt in range(1, TRIES + 1):
            try:
                results = self._through_outages(lambda: record_batch([event]))
            except Stopped:
                raise
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
                log.warning(
                    "event not recorded",
                    run_id=event.run_id,
                    run_seq=event.run_seq,
                    attempt=attempt,
                    error=problem,
                )
            else:
                self._answer([entry], results)
                return
        self._set_aside(entry, problem)
        self._answer([], [self._through_outages(lambda: skip_event(event))])

    def _through_outages(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, trying again for as long as the database is away.

        Raises:
            Stopped: the relay was asked to stop meanwhile.
            Exception: what `work` raises with a database that answers.
        """
        wait_s, failures = 0.1, 0
        while True:
            close_old_connections()
            try:
                return work()
            except DATABASE_AWAY as error:
                # A lock that took too long or a deadlock looks the same as an outage, and passes; what does not pass is a fault.
                failures += _is_database_up()
                if failures > BUSY_TRIES:
                    raise
                log.warning("database is away; the relay waits", error=str(error), wait_s=wait_s)
            if self._stop.wait(wait_s):
                raise Stopped
            wait_s = min(wait_s * 2, MAX_BACKOFF_S)

    # --- answering -----------------------------------------------------------------------------------------------

    def _answer(self, entries: Sequence[Entry], results: Sequence[Recorded]) -> None:
        """Take the entries off the stream and tell the workers; when Redis fails here, both happen on the next reading."""
        OUTCOMES.update(result.outcome for result in results)
        with self._redis.pipeline(transaction=False) as pipe:
            if entries:
                ids = [entry.id for entry in entries]
                pipe.xack(STREAM_KEY, RELAY_GROUP, *ids)
                pipe.xdel(STREAM_KEY, *ids)
            for run_id, ack in dict.fromkeys((result.run_id, result.ack) for result in results if result.ack):
                # Two workers may read one run's answers: room for what each of them is told.
                pipe.xadd(acks_key(run_id), ack.to_fields(), maxlen=ACKS_KEPT, approximate=False)  # type: ignore[arg-type]
                pipe.expire(acks_key(run_id), ACK_TTL_S)
            pipe.execute()

    def _set_aside(self, entry: Entry, problem: str) -> None:
        """Keep an event that cannot be recorded where people can look at it, and go on."""
        log.error("event set aside", entry=entry.id.decode(), problem=problem)
        fields: Any = {**entry.fields, b"problem": problem[:1000].encode()}
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.xadd(DEAD_KEY, fields, maxlen=1000)
            pipe.xack(STREAM_KEY, RELAY_GROUP, entry.id)
            pipe.xdel(STREAM_KEY, entry.id)
            pipe.execute()

    # --- duties --------------------------------------------------------------------------------------------------

    def _run_periodic(self) -> None:
        now = self._clock()
        for duty in periodic_functions():
            if now < self._due.get(duty.name, float("-inf")):
                continue
            self._due[duty.name] = now + duty.every_s
            close_old_connections()
            try:
                duty.function()
            except DATABASE_AWAY as error:
                log.warning(
                    "housekeeping waits for the database", duty=duty.name, error=str(error).partition("\n")[0]
                )
            except Exception:
                log.exception("housekeeping failed; it is tried again when next due", duty=duty.name)

    def _beat(self) -> None:
        if self._clock() - self._beaten_at >= HEARTBEAT_S:
            self._beaten_at = self._clock()
            self._redis.set(HEARTBEAT_KEY, time.time(), ex=60)


def _is_database_up() -> bool:
    connection.close()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DATABASE_AWAY:
        return False
    return True
