from __future__ import annotations

import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.framework.redis import RedisServer
from workers.events import tokens_key
from workers.reasoning.tokens import MAX_WAITING_CHARS, TokenStream


async def test_batches_the_deltas_of_a_step(redis_server: RedisServer, redis_client: redis.Redis) -> None:
    async with Redis.from_url(redis_server.url) as client:
        async with TokenStream(client, "r1") as tokens:
            for word in ("a", "b", "c"):
                tokens.write("s1", word)
            tokens.write("s2", "d")
        assert tokens.count == 4
    entries = redis_client.xrange(tokens_key("r1"))
    assert [fields for _, fields in entries] == [  # type: ignore[union-attr]
        {b"step_id": b"s1", b"text": b"abc"},
        {b"step_id": b"s2", b"text": b"d"},
    ]
    assert 0 < redis_client.ttl(tokens_key("r1")) <= 3600  # type: ignore[operator]


async def test_never_holds_more_than_its_bound() -> None:
    async with (
        Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)) as client,
        TokenStream(client, "r1") as tokens,
    ):
        for _ in range(200):
            tokens.write("s1", "x" * 1000)
        assert tokens._waiting_chars <= MAX_WAITING_CHARS
