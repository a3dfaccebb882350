"""Counts how often something was asked for within a window of time, over all processes."""

from __future__ import annotations

import redis

from webapp.errors import Unavailable
from webapp.events.publish import redis_client


def count_within(key: str, window_s: int) -> int:
    """Return the how-manieth this is since the window began; it ends by itself.

    Raises:
        Unavailable: Redis is away.
    """
    try:
        with redis_client().pipeline() as pipe:
            pipe.incr(key)
            pipe.expire(key, window_s, nx=True)
            asked, _ = pipe.execute()
    except redis.RedisError as error:
        raise Unavailable("Redis is away; ask again.", retry_after_s=2) from error
    return int(asked)
