"""What a run's models say and its commands print, as it comes: news, batched, capped, and lost without harm."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from workers.events import tokens_key
from workers.reasoning.ending import end_tasks

STREAM_LENGTH = 5000
BATCH_S = 0.040
KEEP_S = 3600
MAX_WAITING_CHARS = 64 * 1024
"""What is kept while Redis is away; the final text stands in the step's end in any case."""


class TokenStream:
    """Writes deltas to the capped Redis stream of one run. Use it as an async context manager."""

    def __init__(self, client: Redis, run_id: str) -> None:
        self._client = client
        self._key = tokens_key(run_id)
        self._waiting: list[tuple[str, str]] = []
        self._waiting_chars = 0
        self._has_news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.count = 0
        """Deltas written since the start; the heartbeat makes a speed of it."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._flush_always())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            await end_tasks(self._task)
        await self._flush()

    def write(self, step_id: str, text: str, *, is_model: bool = True) -> None:
        """Add the next piece of what a model says, or a command prints, in `step_id`; returns at once."""
        self.count += is_model
        if self._waiting_chars + len(text) > MAX_WAITING_CHARS:
            return
        if self._waiting and self._waiting[-1][0] == step_id:
            self._waiting[-1] = (step_id, self._waiting[-1][1] + text)
        else:
            self._waiting.append((step_id, text))
        self._waiting_chars += len(text)
        self._has_news.set()

    async def _flush_always(self) -> None:
        while True:
            await self._has_news.wait()
            await asyncio.sleep(BATCH_S)
            self._has_news.clear()
            await self._flush()

    async def _flush(self) -> None:
        pieces, self._waiting, self._waiting_chars = self._waiting, [], 0
        if not pieces:
            return
        pipeline = self._client.pipeline(transaction=False)
        for step_id, text in pieces:
            fields = {"step_id": step_id, "text": text.encode("utf-8", "replace")}
            pipeline.xadd(self._key, fields, maxlen=STREAM_LENGTH, approximate=True)  # type: ignore[arg-type]
        pipeline.expire(self._key, KEEP_S)
        try:
            await pipeline.execute()
        except (RedisError, OSError, TimeoutError):
            return
