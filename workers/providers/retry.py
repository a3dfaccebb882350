"""Tries again where it helps: bounded, as slowly as the provider asks, never after a first word was heard.

Once a delta went out, people have read it and an agent may have acted on it, so a second try would tell the
story twice. A timeout is not tried again here either: it already cost its whole limit, and whoever asked
decides what that is worth.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from workers.errors import ProviderError, ProviderTimeout, RateLimitTooLong
from workers.providers.base import Provider
from workers.providers.forwarding import ForwardingProvider
from workers.providers.types import ModelRequest, StreamItem


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long. A wait that would pass `give_up_s` after the first try is not begun."""

    tries: int = 4
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0
    give_up_s: float = 90.0

    def wait_s(self, failed_tries: int, asked_s: float | None, *, jitter: float) -> float:
        """Return the wait before the next try; `jitter` lies in 0–1.

        Never shorter than what the provider asks for; a little longer, so that many workers do not come
        back at once.
        """
        backoff_s = min(self.longest_wait_s, self.first_wait_s * 2.0 ** (failed_tries - 1))
        if asked_s is not None:
            return asked_s + jitter * min(1.0, backoff_s)
        return backoff_s * (0.5 + jitter / 2)


class RetryingProvider(ForwardingProvider):
    """A provider that tries again before its first delta."""

    def __init__(
        self,
        inner: Provider,
        policy: RetryPolicy | None = None,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(inner)
        self._policy = policy or RetryPolicy()
        self._sleep = sleep
        self._jitter = jitter

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamItem, None]:
        loop = asyncio.get_running_loop()
        gives_up_at = loop.time() + self._policy.give_up_s
        failed_tries = 0
        while True:
            has_spoken = False
            try:
                async with aclosing(self._inner.stream(request)) as items:
                    async for item in items:
                        has_spoken = True
                        yield item
                return
            except ProviderError as error:
                failed_tries += 1
                if has_spoken or not _is_worth_retrying(error) or failed_tries >= self._policy.tries:
                    raise
                asked_s = getattr(error, "retry_after_s", None)
                wait_s = self._policy.wait_s(failed_tries, asked_s, jitter=self._jitter())
                if loop.time() + wait_s > gives_up_at:
                    raise
            await self._sleep(wait_s)


def _is_worth_retrying(error: ProviderError) -> bool:
    return error.retryable and not isinstance(error, ProviderTimeout | RateLimitTooLong)
