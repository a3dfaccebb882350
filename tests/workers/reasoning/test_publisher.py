from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tests.framework.engine_relay import EngineRelay
from tests.framework.redis import RedisServer
from workers.errors import RelaySilent, RunSuperseded
from workers.events import STREAM_KEY, Heartbeat, RunStarted, StepStarted
from workers.reasoning.publisher import EventPublisher


@pytest_asyncio.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_server.url)
    yield client
    await client.aclose()


def publisher_for(client: Redis, *, fence: int = 1, next_seq: int = 1) -> EventPublisher:
    return EventPublisher(
        client, run_id="r1", fence=fence, next_seq=next_seq, resend_after_s=0.1, settle_timeout_s=5
    )


def begin(publisher: EventPublisher, number: int) -> None:
    publisher.publish(StepStarted, step_id=f"s{number}", parent_id=None, kind="thought", title="t")


async def test_settles_when_the_relay_has_committed_everything(
    client: Redis, engine_relay: EngineRelay
) -> None:
    async with publisher_for(client) as publisher:
        publisher.publish(RunStarted, worker="w", model="m")
        begin(publisher, 1)
        await publisher.settle()
        assert [event.run_seq for event in engine_relay.events] == [1, 2]


async def test_waits_while_the_relay_is_deaf(client: Redis, engine_relay: EngineRelay) -> None:
    engine_relay.deafen()
    async with publisher_for(client) as publisher:
        begin(publisher, 1)
        with pytest.raises(RelaySilent) as caught:
            await publisher.settle(timeout_s=0.3)
        assert caught.value.facts["seq"] == 1
        engine_relay.answers.set()
        await publisher.settle()


async def test_sends_again_what_a_lost_stream_held(client: Redis, engine_relay: EngineRelay) -> None:
    engine_relay.deafen()
    async with publisher_for(client) as publisher:
        for number in range(1, 6):
            begin(publisher, number)
        await asyncio.sleep(0.05)
        assert await client.xlen(STREAM_KEY) >= 5
        await client.delete(STREAM_KEY)
        engine_relay.answers.set()
        await publisher.settle()
    assert [event.run_seq for event in engine_relay.events] == [1, 2, 3, 4, 5]


async def test_survives_a_redis_that_is_killed_and_comes_back(
    client: Redis, redis_server: RedisServer, engine_relay: EngineRelay
) -> None:
    async with publisher_for(client) as publisher:
        begin(publisher, 1)
        await publisher.settle()
        redis_server.kill()
        begin(publisher, 2)
        await asyncio.sleep(0.3)
        redis_server.start()
        begin(publisher, 3)
        await publisher.settle()
    assert [event.run_seq for event in engine_relay.events] == [1, 2, 3]


async def test_says_that_it_was_superseded(client: Redis, engine_relay: EngineRelay) -> None:
    engine_relay.fences["r1"] = 2
    async with publisher_for(client, fence=1) as publisher:
        begin(publisher, 1)
        with pytest.raises(RunSuperseded):
            await publisher.settle()
        assert publisher.superseded.is_set()
    assert not engine_relay.events


async def test_old_acks_do_not_acknowledge_new_events(client: Redis, engine_relay: EngineRelay) -> None:
    async with publisher_for(client) as publisher:
        begin(publisher, 1)
        await publisher.settle()
    engine_relay.fences["r1"] = 2
    engine_relay.deafen()
    async with publisher_for(client, fence=2, next_seq=2) as publisher:
        begin(publisher, 2)
        with pytest.raises(RelaySilent):
            await publisher.settle(timeout_s=0.3)
        engine_relay.answers.set()
        await publisher.settle()


async def test_news_carries_no_number(client: Redis, engine_relay: EngineRelay) -> None:
    async with publisher_for(client) as publisher:
        assert await publisher.announce(Heartbeat)
        begin(publisher, 1)
        await publisher.settle()
    assert [event.run_seq for event in engine_relay.news] == [0]
    assert [event.run_seq for event in engine_relay.events] == [1]
