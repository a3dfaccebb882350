"""Sends a run's events until the relay has committed them.

Events are numbered when they are published and kept until acknowledged; what stays unacknowledged is sent
again, in order, so that neither a restarted Redis nor a restarted relay loses one. Whoever is about to cause
an effect waits in `settle` first: then the intent is on disk, and a run that is found dead tells what it was
doing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from workers.errors import RelaySilent, RunSuperseded
from workers.events import STREAM_KEY, Ack, EngineEvent, acks_key, to_wire
from workers.reasoning.ending import end_tasks
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
STREAM_LENGTH = 100_000
RESEND_AFTER_S = 2.0
SETTLE_TIMEOUT_S = 120.0
_BLOCK_MS = 1000
_RETRY_S = 0.2
_AWAY = (RedisError, OSError, TimeoutError)

E = TypeVar("E", bound=EngineEvent)


class EventPublisher:
    """The events of one run under one fencing number. Use it as an async context manager."""

    def __init__(
        self,
        client: Redis,
        *,
        run_id: str,
        fence: int,
        next_seq: int = 1,
        resend_after_s: float = RESEND_AFTER_S,
        settle_timeout_s: float = SETTLE_TIMEOUT_S,
    ) -> None:
        self.run_id, self.fence = run_id, fence
        self._client = client
        self._next_seq = next_seq
        self._resend_after_s = resend_after_s
        self._settle_timeout_s = settle_timeout_s
        self._unacked: deque[EngineEvent] = deque()
        self._sent_seq = next_seq - 1
        self._acked_seq = next_seq - 1
        self._progress_at = time.monotonic()
        self._has_news = asyncio.Event()
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self.superseded = asyncio.Event()
        """Set when a worker with a higher fence holds the run, or when the run has ended elsewhere."""

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._send_all()), asyncio.create_task(self._read_acks())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await end_tasks(*self._tasks)

    @property
    def last_seq(self) -> int:
        """The number of the newest event; one less than the first when there is none."""
        return self._next_seq - 1

    def publish(self, kind: type[E], /, **fields: Any) -> E:
        """Number an event, keep it until it is acknowledged, and have it sent; returns at once."""
        event = kind(run_id=self.run_id, fence=self.fence, run_seq=self._next_seq, **fields)
        self._next_seq += 1
        if not self._unacked:
            self._progress_at = time.monotonic()
        self._unacked.append(event)
        self._has_news.set()
        return event

    async def announce(self, kind: type[EngineEvent], /, **fields: Any) -> bool:
        """Send an event that is news and not history (`run_seq` 0); return whether Redis took it."""
        event = kind(run_id=self.run_id, fence=self.fence, run_seq=0, **fields)
        try:
            await self._client.xadd(STREAM_KEY, _entry(event), maxlen=STREAM_LENGTH, approximate=True)
        except _AWAY:
            return False
        return True

    async def settle(self, *, timeout_s: float | None = None) -> None:
        """Wait until everything published so far is committed.

        Raises:
            RunSuperseded: another worker holds the run.
            RelaySilent: it took longer than `timeout_s`.
        """
        seq = self.last_seq
        timeout_s = self._settle_timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self._acked_seq >= seq or self.superseded.is_set())
        except TimeoutError:
            raise RelaySilent(waited_s=timeout_s, acked_seq=self._acked_seq, seq=seq) from None
        if self.superseded.is_set():
            raise RunSuperseded(fence=self.fence)

    async def _send_all(self) -> None:
        while not self.superseded.is_set():
            wait_s = self._resend_after_s if self._unacked else None
            try:
                async with asyncio.timeout(wait_s):
                    await self._has_news.wait()
            except TimeoutError:
                pass
            self._has_news.clear()
            if self._unacked and time.monotonic() - self._progress_at >= self._resend_after_s:
                self._sent_seq = self._acked_seq
                self._progress_at = time.monotonic()
            try:
                await self._send_new()
            except _AWAY:
                # Whether Redis had taken them cannot be known: send again, the relay drops what it has seen.
                self._sent_seq = self._acked_seq
                self._has_news.set()
                await asyncio.sleep(_RETRY_S)

    async def _send_new(self) -> None:
        waiting = [event for event in self._unacked if event.run_seq > self._sent_seq]
        if not waiting:
            return
        pipeline = self._client.pipeline(transaction=False)
        for event in waiting:
            pipeline.xadd(STREAM_KEY, _entry(event), maxlen=STREAM_LENGTH, approximate=True)
        await pipeline.execute()
        self._sent_seq = max(self._sent_seq, waiting[-1].run_seq)

    async def _read_acks(self) -> None:
        last_id: Any = "0"  # from the start: older acks are below `next_seq` and change nothing
        while True:
            try:
                answer: Any = await self._client.xread(
                    {acks_key(self.run_id): last_id}, count=100, block=_BLOCK_MS
                )
            except _AWAY:
                await asyncio.sleep(_RETRY_S)
                continue
            for _, entries in answer or ():
                for entry_id, fields in entries:
                    last_id = entry_id
                    await self._take(fields)

    async def _take(self, fields: dict[bytes, bytes]) -> None:
        try:
            ack = Ack.from_fields({name.decode(): value.decode() for name, value in fields.items()})
        except ValueError:
            log.warning("an ack makes no sense", run_id=self.run_id, fields=str(fields)[:200])
            return
        async with self._changed:
            if ack.superseded is not None and ack.superseded > self.fence:
                self.superseded.set()
            if ack.seq is not None and ack.seq > self._acked_seq:
                self._acked_seq = min(ack.seq, self.last_seq)
                self._progress_at = time.monotonic()
                while self._unacked and self._unacked[0].run_seq <= self._acked_seq:
                    self._unacked.popleft()
            self._changed.notify_all()


def _entry(event: EngineEvent) -> dict[Any, Any]:
    return {"event": orjson.dumps(to_wire(event))}
