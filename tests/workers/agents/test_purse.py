"""Budgets over a real Redis: reserved before each call, for all workers, seeded again when Redis forgot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
import redis as sync_redis
from redis.asyncio import Redis

from tests.framework.agent_bench import MakeBench
from tests.framework.provider_double import Fault, ProviderDouble
from tests.framework.provider_double.script import Call
from tests.framework.provider_double.script import Say as Turn
from tests.framework.redis import RedisServer
from tests.workers.agents.test_models import model
from workers.agents import purse as purse_module
from workers.agents.budget import Spending
from workers.agents.metering import MeteredProvider
from workers.agents.purse import MICRO, Purse, Reservation, calls_key, marker_key, scope_key
from workers.errors import BudgetExceeded, BudgetUnknown, ProviderCutOff
from workers.events import RunFailed, RunFinished
from workers.providers.registry import open_provider
from workers.providers.retry import RetryPolicy
from workers.providers.types import Message, ModelChoice, ModelRequest, Price, TextDelta
from workers.queue import Budget, Job

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
HELLO = ModelRequest(messages=(Message("user", "Hello " * 100),), max_output_tokens=500)


class Till:
    """The web app's side: writes what the rows say into Redis when it is asked to."""

    def __init__(self, client: Redis, rows: sync_redis.Redis) -> None:
        self.client, self.rows = client, rows
        self.seeds = 0
        self.now = AT
        self.all: dict[str, float] = {}
        self.person: dict[str, float] = {}

    async def seed(self) -> None:
        self.seeds += 1
        for person_id, whose in ((None, self.all), (7, self.person), (8, {})):
            for period in ("day", "month"):
                fields: dict[str, Any] = {"usd": 0, "tokens": 0}
                for name, value in whose.items():
                    if name.startswith(period):
                        fields[name.removeprefix(f"{period}_")] = value
                if person_id:
                    fields["person"] = str(person_id)
                key = scope_key(1, period, self.now, person_id=person_id)
                if not self.rows.exists(key):
                    self.rows.hset(key, mapping=fields)

    def purse(self, run_id: str = "r1", *, person_id: int | None = 7, is_limited: bool = True) -> Purse:
        job = Job(
            run_id=run_id,
            fence=1,
            workspace_id=1,
            agent="coder",
            goal="",
            base_commit="",
            model={},
            spend={"is_limited": is_limited, "person_id": person_id},
        )
        return Purse(self.client, job, seed=self.seed, clock=lambda: self.now)

    def read(self, period: str = "day", person_id: int | None = None) -> tuple[int, int]:
        usd, tokens = self.rows.hmget(scope_key(1, period, self.now, person_id=person_id), "usd", "tokens")
        return int(usd or 0), int(tokens or 0)


@pytest_asyncio.fixture
async def till(redis_server: RedisServer, redis_client: sync_redis.Redis) -> AsyncIterator[Till]:
    client = Redis.from_url(redis_server.url)
    yield Till(client, redis_client)
    await client.aclose()


async def spend(purse: Purse, *, worst: float, used: float | None = None, tokens: int = 0) -> None:
    async with purse.reserve(Reservation(tokens, worst), model="m") as paid:
        paid.used_usd, paid.used_tokens = worst if used is None else used, tokens


async def test_refuses_a_call_whose_worst_case_passes_the_limit(till: Till) -> None:
    till.all = {"day_limit_usd": 1.0 * MICRO}
    await spend(till.purse(), worst=0.6, used=0.5)
    assert till.read() == till.read("month") == till.read(person_id=7) == (500_000, 0)
    with pytest.raises(
        BudgetExceeded,
        match=r"^Budget exceeded: the workspace’s budget for today of \$1.00 has \$0.5000 left",
    ):
        await spend(till.purse(), worst=0.6)
    await spend(till.purse(), worst=0.5)
    with pytest.raises(BudgetExceeded):
        await spend(till.purse(), worst=0.0)
    assert till.seeds == 1


async def test_calls_side_by_side_cannot_pass_a_limit_together(till: Till) -> None:
    till.all = {"month_limit_tokens": 1000}
    done = 0

    async def call(number: int) -> None:
        nonlocal done
        async with till.purse(f"r{number}").reserve(Reservation(300, 0.0), model="m") as paid:
            await asyncio.sleep(0.2)
            paid.used_tokens = 300
            done += 1

    results = await asyncio.gather(*(call(number) for number in range(8)), return_exceptions=True)
    assert done == 3
    assert sum(isinstance(result, BudgetExceeded) for result in results) == 5
    assert till.read("month") == (0, 900)


async def test_a_person_has_limits_of_their_own(till: Till) -> None:
    till.person = {"day_limit_tokens": 100}
    with pytest.raises(BudgetExceeded, match="the caller’s own budget for today of 100 tokens has 100 left"):
        await spend(till.purse(), worst=0.0, tokens=101)
    await spend(till.purse(person_id=None), worst=0.0, tokens=101)
    await spend(till.purse(), worst=0.0, tokens=60)
    assert till.read(person_id=7) == (0, 60) and till.read() == (0, 161)


async def test_what_others_have_reserved_is_not_the_persons(till: Till) -> None:
    till.person = {"day_limit_tokens": 100}
    async with till.purse("other", person_id=8).reserve(Reservation(1000, 0.0), model="m"):
        await spend(till.purse(), worst=0.0, tokens=90)


async def test_an_unknown_price_is_never_nothing(till: Till) -> None:
    till.all = {"day_limit_usd": 100.0 * MICRO}
    with pytest.raises(BudgetExceeded, match="nobody knows the price of m"):
        async with till.purse().reserve(Reservation(10, None), model="m"):
            pass
    till.rows.flushall()
    till.all = {"day_limit_tokens": 1000}
    async with till.purse().reserve(Reservation(10, None), model="m") as paid:
        paid.used_tokens, paid.used_usd = 8, None
    assert till.read() == (0, 8)


async def test_is_seeded_again_when_redis_forgot_everything(till: Till) -> None:
    till.all = {"day_limit_tokens": 100}
    await spend(till.purse(), worst=0.0, tokens=50)
    till.rows.flushall()
    till.all = {"day_limit_tokens": 100, "day_tokens": 50}
    with pytest.raises(BudgetExceeded):
        await spend(till.purse(), worst=0.0, tokens=60)
    assert till.seeds == 2


async def test_a_new_day_begins_with_nothing_spent(till: Till) -> None:
    till.all = {"day_limit_tokens": 100, "month_limit_tokens": 1000}
    await spend(till.purse(), worst=0.0, tokens=100)
    till.now += timedelta(days=1)
    await spend(till.purse(), worst=0.0, tokens=100)
    assert till.read() == (0, 100) and till.read("month") == (0, 200)


async def test_a_workspace_without_limits_asks_nobody(till: Till) -> None:
    await spend(till.purse(is_limited=False), worst=5.0, tokens=10)
    assert till.seeds == 0 and not till.rows.exists(calls_key(1))
    till.rows.set(marker_key(1), "1")  # limits that were set while the run was at work
    till.all = {"day_limit_tokens": 5}
    with pytest.raises(BudgetExceeded):
        await spend(till.purse(is_limited=False), worst=5.0, tokens=10)


async def test_nothing_is_asked_when_nobody_can_say_what_is_left(till: Till) -> None:
    async def nothing() -> None:
        return None

    purse = till.purse()
    purse._seed = nothing
    with pytest.raises(BudgetUnknown):
        await spend(purse, worst=0.0)


async def test_waits_for_a_redis_that_is_started_again(
    till: Till, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_server.kill()
    spending = asyncio.create_task(spend(till.purse(is_limited=False), worst=1.0))
    await asyncio.sleep(0.8)
    assert not spending.done()
    redis_server.start()
    await asyncio.wait_for(spending, 20)
    redis_server.kill()
    try:
        monkeypatch.setattr(purse_module, "AWAY_S", 0.3)
        with pytest.raises(BudgetUnknown):
            await spend(till.purse(is_limited=False), worst=1.0)
    finally:
        redis_server.start()


async def test_what_a_killed_worker_had_reserved_comes_free(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purse_module, "LEASE_S", 0.4)
    till.all = {"day_limit_tokens": 100}
    await till.seed()
    dead = till.purse("dead")
    await dead._do(dead._scopes(), "reserve", "dead:1:0", 0, 90, "7", 400, 1)
    with pytest.raises(BudgetExceeded):
        await spend(till.purse(), worst=0.0, tokens=20)
    await asyncio.sleep(0.5)
    async with till.purse().reserve(Reservation(90, 0.0), model="m"):
        await asyncio.sleep(0.9)  # one that lives keeps its own
        with pytest.raises(BudgetExceeded):
            await spend(till.purse("next"), worst=0.0, tokens=20)


def metered(till: Till, double: ProviderDouble, spending: Spending | None = None) -> MeteredProvider:
    price = Price(1000.0, 2000.0)
    choice = ModelChoice("openai", "m", base_url=double.base_url("openai"), price=price)
    inner = open_provider(choice, secret=None, retries=RetryPolicy(tries=1))
    return MeteredProvider(inner, purse=till.purse(), spending=spending or Spending(Budget()))


async def test_settles_what_the_provider_counted(till: Till, provider_double: ProviderDouble) -> None:
    till.all = {"day_limit_usd": 10.0 * MICRO}
    provider_double.say(Turn("ok", usage=(120, 3)))
    provider = metered(till, provider_double)
    await provider.generate(HELLO)
    assert till.read() == (126_000, 123)
    await provider.aclose()


async def test_pays_for_what_was_heard_of_an_answer_that_broke_off(
    till: Till, provider_double: ProviderDouble
) -> None:
    till.all = {"day_limit_usd": 10.0 * MICRO}
    provider = metered(till, provider_double)
    provider_double.say(Turn("one two three four five six seven eight", fault=Fault("cut")))
    with pytest.raises(ProviderCutOff):
        await provider.generate(HELLO)
    assert till.read()[1] > 188
    provider_double.say(Turn(fault=Fault("http", 401)))
    before = till.read()
    with pytest.raises(Exception, match="does not accept"):
        await provider.generate(HELLO)
    assert till.read() == before and not till.rows.hlen(calls_key(1))
    await provider.aclose()


async def test_asks_nothing_that_cannot_be_paid_for(till: Till, provider_double: ProviderDouble) -> None:
    till.all = {"day_limit_usd": 1.0 * MICRO}
    provider = metered(till, provider_double)
    with pytest.raises(BudgetExceeded, match="this call may cost"):
        await provider.generate(HELLO)
    assert provider_double.asked == []
    await provider.aclose()


async def test_a_run_leaves_room_for_its_own_calls_side_by_side(
    till: Till, provider_double: ProviderDouble
) -> None:
    spending = Spending(Budget(tokens=2000))
    provider = metered(till, provider_double, spending)
    provider_double.say(Turn("a b c d", token_wait_s=0.1))
    room = spending.answer_room(100, price=None)
    stream = provider.stream(HELLO)
    assert isinstance(await anext(stream), TextDelta)
    assert spending.answer_room(100, price=None) == room - 688  # type: ignore[operator]
    await stream.aclose()
    assert spending.answer_room(100, price=None) == room
    await provider.aclose()


async def test_a_run_stops_before_it_overspends(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_client: sync_redis.Redis
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(Turn(calls=(Call("read_file", {"path": "a.py"}),), usage=(9_000, 10)))
    now = datetime.now(UTC)
    fields: Mapping[Any, Any] = {"usd": 0, "tokens": 0, "limit_tokens": 15_000}
    for period in ("day", "month"):
        redis_client.hset(scope_key(1, period, now), mapping=dict(fields))
    job = bench.job(
        "what is x?", agent="coder", model=model("one", provider_double), spend={"is_limited": True}
    )
    await bench.run(job)
    ends = [*bench.relay.of(RunFailed), *bench.relay.of(RunFinished)]
    assert len(provider_double.asked) == 1
    assert "udget exceeded: the workspace’s budget for today of 15,000 tokens has 5,990 left" in str(ends)
