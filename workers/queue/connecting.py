"""Redis as it is asked where a person waits: an answer within seconds, or an error.

A Redis that is gone refuses connections at once. One that hangs (stopped, swapping, behind a broken network) takes them and
answers nothing: each call waits out its timeout, and all that one request asks adds up. So the clients of one address
share what they saw: after an answer that did not come, nobody waits for another until as much time again has passed.
Whoever blocks on purpose, to read a stream, has a client of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

ANSWER_S: Final = 2.5
"""How long one answer is waited for: `/readyz` asks once, and who starts a run waits at most twice."""
TRY_AGAIN_S: Final = 0.1


class Silence:
    """Knows whether an answer has just failed to come. `clock` is monotonic."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = float("-inf")

    @property
    def is_on(self) -> bool:
        """Whether it is too early to wait for another answer."""
        return self._clock() < self._until

    def begin(self) -> None:
        """Note that an answer did not come; who did not wait for one prolongs nothing."""
        if not self.is_on:
            self._until = self._clock() + ANSWER_S


class OneWait(Retry):
    """Connects again where the connection is refused or broken, and waits only once for an answer that does not come."""

    def __init__(self, silence: Silence, *, tries_again: int) -> None:
        super().__init__(ConstantBackoff(TRY_AGAIN_S), tries_again)
        self._silence = silence

    def __deepcopy__(self, memo: dict[int, Any]) -> OneWait:
        return self  # redis-py copies it for each connection; all of them are to know

    def call_with_retry(
        self,
        do: Callable[[], Any],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> Any:
        """Return what `do` returns.

        Raises:
            redis.TimeoutError: no answer came, now or a moment ago.
            redis.ConnectionError: there was no connection, also when tried again.
        """
        if self._silence.is_on:
            raise redis.TimeoutError("Redis gave no answer a moment ago")

        def give_up(error: Exception, *failures: int) -> None:
            fail(error, *failures)  # closes the connection, so that nobody reads a late answer as their own
            if isinstance(error, redis.TimeoutError):
                self._silence.begin()
                raise error

        return super().call_with_retry(do, give_up, is_retryable, with_failure_count)


@cache
def _silence_of(url: str) -> Silence:
    return Silence()


@cache
def client_of(url: str, *, tries_again: int = 0) -> redis.Redis:
    """Return this process's client for short questions to the Redis at `url`.

    Args:
        tries_again: How often to connect again, every 0.1 s, while the connection is refused.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=ANSWER_S,
        socket_connect_timeout=ANSWER_S,
        retry=OneWait(_silence_of(url), tries_again=tries_again),
    )
