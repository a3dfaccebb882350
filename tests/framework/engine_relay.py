"""A relay for tests of the engine: takes events off the Redis stream in order and acknowledges them, without Django.

It keeps the rule of the real one: a run's events count in the order of their numbers, what came before is dropped,
what comes too early waits for its worker to send again.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import orjson
import pytest
import redis

from tests.framework.redis import RedisServer
from workers.events import STREAM_KEY, Ack, EngineEvent, StepFinished, StepStarted, acks_key, from_wire

E = TypeVar("E", bound=EngineEvent)


class EngineRelay:
    """Reads in a thread of its own. `events` holds what it has committed, `news` what carries no number."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.answers = threading.Event()
        """Cleared, the relay is deaf: it reads nothing and acknowledges nothing."""
        self.answers.set()
        self.events: list[EngineEvent] = []
        self.news: list[EngineEvent] = []
        self.fences: dict[str, int] = {}
        """The highest fence of each run; a worker with a lower one is told that it was superseded."""
        self._seqs: dict[str, int] = defaultdict(int)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def deafen(self) -> None:
        """Stop reading; what is being read is still acknowledged before this returns."""
        self.answers.clear()
        time.sleep(0.2)

    def of(self, kind: type[E], run_id: str | None = None) -> list[E]:
        """Return the committed events of one type."""
        return [event for event in self.events if isinstance(event, kind) and run_id in (None, event.run_id)]

    def wait_for(self, seen: Callable[[], object], *, timeout_s: float = 20.0) -> None:
        """Wait until `seen` is true."""
        deadline = time.monotonic() + timeout_s
        while not seen():
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not seen in {timeout_s} s; events: {[event.type for event in self.events]}"
                )
            time.sleep(0.005)

    def next_seq(self, run_id: str) -> int:
        """Return the number that a further attempt begins with."""
        return self._seqs[run_id] + 1

    def history(self, run_id: str) -> list[dict[str, Any]]:
        """Return the finished steps as a job carries them; what a person stopped is finished, what broke off is not."""
        started = {event.step_id: event for event in self.of(StepStarted, run_id)}
        return [
            {
                "step_id": event.step_id,
                "parent_id": started[event.step_id].parent_id,
                "kind": started[event.step_id].kind,
                "title": started[event.step_id].title,
                "status": event.status,
                "detail": event.detail,
                "duration_ms": event.duration_ms,
                "input_tokens": event.input_tokens,
                "output_tokens": event.output_tokens,
                "cost_usd": event.cost_usd,
            }
            for event in self.of(StepFinished, run_id)
            if event.status in ("ok", "failed") or "stopped_by" in event.detail
        ]

    def _read(self) -> None:
        last_id: Any = "0"
        client = self._server.client
        while not self._stop.is_set():
            if not self.answers.wait(0.05):
                continue
            try:
                for _, entries in client.xread({STREAM_KEY: last_id}, count=100, block=50) or ():
                    for entry_id, fields in entries:
                        last_id = entry_id
                        self._take(client, from_wire(orjson.loads(fields[b"event"])))
            except redis.RedisError:
                time.sleep(0.02)
        client.close()

    def _take(self, client: redis.Redis, event: EngineEvent) -> None:
        run_id = event.run_id
        if event.fence < self.fences.get(run_id, 0):
            client.xadd(acks_key(run_id), Ack(superseded=self.fences[run_id]).to_fields())
            return
        if event.run_seq == 0:
            self.news.append(event)
            return
        if event.run_seq == self._seqs[run_id] + 1:
            self._seqs[run_id] += 1
            self.events.append(event)
        client.xadd(acks_key(run_id), Ack(seq=self._seqs[run_id]).to_fields())


@pytest.fixture
def engine_relay(redis_server: RedisServer, redis_client: redis.Redis) -> Iterator[EngineRelay]:
    """A relay on an empty Redis."""
    relay = EngineRelay(redis_server)
    relay.start()
    yield relay
    relay.stop()
