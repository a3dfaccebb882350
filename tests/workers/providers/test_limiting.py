"""Rate limits of a key, over a real Redis: shared by workers, fair between workspaces, seen by whoever waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
import redis as sync_redis
from redis.asyncio import Redis

from tests.framework.provider_double import Fault, ProviderDouble, Say
from tests.framework.redis import RedisServer
from tests.workers.providers.conftest import OpenProvider
from workers.errors import ProviderRateLimited, RateLimitTooLong
from workers.providers import limiting
from workers.providers.limiting import KeyLimits, LimitedProvider, count_tokens, key_id
from workers.providers.retry import RetryPolicy
from workers.providers.types import ImagePart, Message, ModelChoice, ModelRequest

HELLO = ModelRequest(messages=(Message("user", "Hello"),), max_output_tokens=10)


class Workers:
    """Several workers, each with a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.shown: list[str] = []
        self.clients: list[Redis] = []

    def limits(
        self,
        run: str = "r1",
        *,
        workspace: int = 1,
        secret: str = "k",
        patience_s: float = 20.0,
        **fields: Any,
    ) -> KeyLimits:
        client = Redis.from_url(self.url)
        self.clients.append(client)

        def waiting() -> AbstractAsyncContextManager[Any]:
            @asynccontextmanager
            async def show() -> AsyncIterator[None]:
                self.shown.append(run)
                yield

            return show()

        choice = ModelChoice("openai", "m", base_url="http://one/v1", **fields)
        return KeyLimits(
            client,
            choice,
            secret=secret,
            run_id=run,
            workspace_id=workspace,
            waiting=waiting,
            patience_s=patience_s,
        )


@pytest_asyncio.fixture
async def workers(redis_server: RedisServer, redis_client: sync_redis.Redis) -> AsyncIterator[Workers]:
    found = Workers(redis_server.url)
    yield found
    for client in found.clients:
        await client.aclose()


async def hold(limits: KeyLimits, *, need: int = 1, for_s: float = 0.0, done: list[str], name: str) -> None:
    async with limits.slot(need):
        done.append(name)
        await asyncio.sleep(for_s)


def test_a_key_is_one_whoever_uses_it_and_cannot_be_read_from_its_name() -> None:
    one = ModelChoice("openai", "gpt-5", base_url="http://one/v1")
    other = ModelChoice("openai", "gpt-5-mini", base_url="http://one/v1")
    assert key_id(one, "sk-1") == key_id(other, "sk-1") != key_id(one, "sk-2")
    assert key_id(one, "sk-1") != key_id(ModelChoice("openai", "gpt-5", base_url="http://two/v1"), "sk-1")
    assert "sk-1" not in key_id(one, "sk-1")


def test_guesses_what_a_request_may_use() -> None:
    assert count_tokens(HELLO) == 10 + 2
    picture = ModelRequest(messages=(Message("user", "", parts=(ImagePart(b"x"),)),), max_output_tokens=10)
    assert count_tokens(picture) == 1010


async def test_lets_no_more_through_at_once_than_the_key_allows(workers: Workers) -> None:
    at_work, most = 0, 0

    async def work(number: int) -> None:
        nonlocal at_work, most
        async with workers.limits(f"r{number}", max_concurrency=2).slot(1):
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0.05)
            at_work -= 1

    await asyncio.gather(*(work(number) for number in range(8)))
    assert most == 2


async def test_spreads_requests_over_the_minute(workers: Workers) -> None:
    limits = [workers.limits(f"r{number}", requests_per_minute=120) for number in range(24)]
    done: list[str] = []
    began = time.monotonic()
    # A bucket of 20, then two a second.
    await asyncio.gather(*(hold(one, done=done, name=str(n)) for n, one in enumerate(limits)))
    assert 1.5 <= time.monotonic() - began < 6


async def test_counts_tokens_and_gives_back_what_was_not_used(workers: Workers) -> None:
    limits = workers.limits(tokens_per_minute=600, patience_s=0.5)  # a bucket of 100
    async with limits.slot(90) as slot:
        slot.used_tokens = 10
    async with limits.slot(80) as slot:
        pass
    with pytest.raises(RateLimitTooLong) as caught:
        async with limits.slot(80):
            pass
    assert 4 < caught.value.facts["retry_after_s"] < 9


async def test_a_call_larger_than_the_bucket_goes_when_it_is_full_and_leaves_a_debt(workers: Workers) -> None:
    limits = workers.limits(tokens_per_minute=600, patience_s=0.1)
    async with limits.slot(300):
        pass
    with pytest.raises(RateLimitTooLong) as caught:
        async with limits.slot(10):
            pass
    assert caught.value.facts["retry_after_s"] > 15


async def test_is_fair_between_workspaces_and_starves_nobody(workers: Workers) -> None:
    done: list[str] = []
    async with workers.limits("first", max_concurrency=1).slot(1):
        waiting = []
        for number in range(12):
            limits = workers.limits(f"greedy{number}", workspace=1, max_concurrency=1)
            waiting.append(asyncio.create_task(hold(limits, done=done, name="greedy")))
        await asyncio.sleep(0.3)
        for number in range(3):
            limits = workers.limits(f"modest{number}", workspace=2, max_concurrency=1)
            waiting.append(asyncio.create_task(hold(limits, done=done, name="modest")))
        await asyncio.sleep(0.3)
    await asyncio.gather(*waiting)
    assert len(done) == 15
    # Each of the modest ones is passed by about one of the greedy: they take turns.
    assert [place for place, name in enumerate(done) if name == "modest"][-1] <= 7
    assert done[-1] == "greedy"


async def test_whoever_is_cancelled_while_waiting_holds_up_nobody(workers: Workers) -> None:
    done: list[str] = []
    async with workers.limits("first", max_concurrency=1).slot(1):
        gone = asyncio.create_task(hold(workers.limits("gone", max_concurrency=1), done=done, name="gone"))
        await asyncio.sleep(0.1)
        next_one = asyncio.create_task(
            hold(workers.limits("next", max_concurrency=1), done=done, name="next")
        )
        await asyncio.sleep(0.1)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    await asyncio.wait_for(next_one, 2)
    assert done == ["next"]


async def test_whoever_is_cancelled_at_any_moment_holds_nothing(
    workers: Workers, redis_client: sync_redis.Redis
) -> None:
    limits = workers.limits("hasty", max_concurrency=1, tokens_per_minute=6000)
    for tick in range(40):
        task = asyncio.create_task(hold(limits, need=5, done=[], name="x", for_s=1))
        await asyncio.sleep(tick * 0.0003)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not [key for key in redis_client.keys("*:held") + redis_client.keys("*:queue")]


async def test_a_killed_worker_frees_its_place(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "LEASE_S", 0.6)
    monkeypatch.setattr(limiting, "ALIVE_S", 0.6)
    dead = workers.limits("dead", max_concurrency=1)
    await dead._do("acquire", "dead:0", "1", 1, 0, 0, 1, 600, 600)
    await dead._do("acquire", "dead:1", "1", 1, 0, 0, 1, 600, 600)
    done: list[str] = []
    await asyncio.wait_for(hold(workers.limits("live", max_concurrency=1), done=done, name="live"), 3)


async def test_a_long_call_keeps_its_place(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "LEASE_S", 0.4)
    async with workers.limits("long", max_concurrency=1).slot(1):
        await asyncio.sleep(1.0)
        with pytest.raises(RateLimitTooLong):
            async with workers.limits("other", max_concurrency=1, patience_s=0.3).slot(1):
                pass


async def test_a_run_that_suspends_itself_keeps_its_turn(workers: Workers) -> None:
    done: list[str] = []
    async with workers.limits("first", max_concurrency=1).slot(1):
        with pytest.raises(RateLimitTooLong):
            async with workers.limits("early", max_concurrency=1, patience_s=0.1).slot(1):
                pass
        later = asyncio.create_task(hold(workers.limits("later", max_concurrency=1), done=done, name="later"))
        await asyncio.sleep(0.1)
        early = asyncio.create_task(hold(workers.limits("early", max_concurrency=1), done=done, name="early"))
        await asyncio.sleep(0.1)
    await asyncio.gather(early, later)
    assert done == ["early", "later"]


async def test_shows_that_it_waits_and_only_then(workers: Workers) -> None:
    async with workers.limits("first", max_concurrency=1).slot(1):
        task = asyncio.create_task(hold(workers.limits("second", max_concurrency=1), done=[], name="x"))
        await asyncio.sleep(0.8)
    await task
    assert workers.shown == ["second"]


async def test_a_redis_that_forgot_everything_lets_calls_through(
    workers: Workers, redis_client: sync_redis.Redis
) -> None:
    async with workers.limits("first", max_concurrency=1, requests_per_minute=60).slot(1):
        redis_client.flushall()
        await asyncio.wait_for(hold(workers.limits("second", max_concurrency=1), done=[], name="x"), 2)


async def test_all_workers_wait_as_long_as_the_provider_asks_one_to(
    workers: Workers, open_at_double: OpenProvider, provider_double: ProviderDouble
) -> None:
    def limited(run: str) -> Any:
        return lambda inner: LimitedProvider(inner, workers.limits(run))

    provider_double.say(Say(fault=Fault("http", 429, headers={"Retry-After": "1"})), "a", "b")
    told = open_at_double("openai", wrap=limited("told"))
    other = open_at_double("openai", wrap=limited("other"))
    foreign = open_at_double(
        "openai", wrap=lambda inner: LimitedProvider(inner, workers.limits("f", secret="k2"))
    )
    with pytest.raises(ProviderRateLimited):
        await told.generate(HELLO)
    began = time.monotonic()
    await foreign.generate(HELLO)
    assert time.monotonic() - began < 0.7
    await other.generate(HELLO)
    assert time.monotonic() - began >= 0.7
    assert workers.shown == ["other"]


async def test_the_worker_that_was_told_tries_again_when_the_pause_is_over(
    workers: Workers, open_at_double: OpenProvider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say(fault=Fault("http", 429, headers={"Retry-After": "1"})), "fine")
    provider = open_at_double(
        "openai", retries=RetryPolicy(), wrap=lambda inner: LimitedProvider(inner, workers.limits())
    )
    assert (await provider.generate(HELLO)).text == "fine"


async def test_embedding_takes_its_turn_too(workers: Workers, open_at_double: OpenProvider) -> None:
    limits = workers.limits("e", max_concurrency=1, patience_s=0.2)
    provider = open_at_double("openai", wrap=lambda inner: LimitedProvider(inner, limits))
    async with workers.limits("first", max_concurrency=1).slot(1):
        with pytest.raises(RateLimitTooLong):
            await provider.embed(["x"])
    assert len(await provider.embed(["x"])) == 1
