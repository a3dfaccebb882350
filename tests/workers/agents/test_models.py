"""A run whose first model fails goes on with the next, and its tree says so."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from operator import mul
from typing import Any

import pytest
import redis
from redis.asyncio import Redis as AsyncRedis

from tests.framework.agent_bench import MakeBench
from tests.framework.provider_double import Fault, ProviderDouble
from tests.framework.provider_double.script import Call
from tests.framework.provider_double.script import Say as Turn
from tests.framework.redis import RedisServer
from workers.agents.budget import Spending
from workers.agents.models import open_models
from workers.config import load_config
from workers.events import RunFailed, RunSuspended, StepFinished, StepStarted
from workers.providers.types import EMBEDDED_CHOICE
from workers.queue import Budget, Job
from workers.reasoning.publisher import EventPublisher
from workers.reasoning.tree import StepRecorder


def model(name: str, double: ProviderDouble, **fields: Any) -> dict[str, Any]:
    url = double.base_url("openai")
    return {"provider": "openai", "model": name, "base_url": url, "context_tokens": 32_000, **fields}


async def test_goes_on_with_the_next_model_and_says_so_in_the_tree(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Turn(fault=Fault("http", 401)),
        Turn(calls=(Call("read_file", {"path": "a.py"}),)),
        Turn(calls=(Call("finish", {"answer": "It is one."}),)),
    )
    job = bench.job(
        "what is x?",
        agent="coder",
        model=model("one", provider_double),
        fallbacks=[{"model": model("two", provider_double), "credential_ref": None}],
    )
    assert await bench.run(job) == "finished"
    assert [asked.model for asked in provider_double.asked] == ["one", "two", "two"]
    titles = [event.title for event in bench.relay.of(StepStarted)]
    assert "one cannot answer; two is asked instead" in titles
    details = [event.detail for event in bench.relay.of(StepFinished)]
    assert {
        "text": "The provider does not accept the key.",
        "failed": "openai/one",
        "asked": "openai/two",
    } in details
    assert [detail["model"] for detail in details if "finish_reason" in detail] == ["two", "two"]


@pytest.mark.parametrize("usage", [(10**18, 3), (-(10**6), 3), (0, 0)], ids=str)
async def test_a_count_that_cannot_be_is_booked_as_our_own_estimate(
    make_bench: MakeBench, provider_double: ProviderDouble, usage: tuple[int, int]
) -> None:
    """Trap: 10^18 tokens ended the run, fewer than none filled its budget up, and 0 made its answers free."""
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Turn(calls=(Call("read_file", {"path": "a.py"}),), usage=usage),
        Turn(calls=(Call("finish", {"answer": "It is one."}),), usage=usage),
    )
    price = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}
    budget = asdict(Budget(tokens=50_000, cost_usd=1.0))
    one = model("one", provider_double, price=price)
    assert await bench.run(bench.job("what is x?", agent="coder", model=one, budget=budget)) == "finished"
    calls = [event for event in bench.relay.of(StepFinished) if "finish_reason" in event.detail]
    assert len(calls) == 2
    for call in calls:
        assert call.detail["tokens"] == "estimated: the provider did not count them"
        assert 1_000 < call.input_tokens < 20_000, "what its tools are is sent too"
        assert 5 <= call.output_tokens < 100
        assert call.cost_usd == pytest.approx((call.input_tokens + 2 * call.output_tokens) / 1e6)


async def test_ends_with_the_first_models_error_when_none_can_answer(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Turn(fault=Fault("http", 401)), Turn(fault=Fault("http", 404, message="no such model"))
    )
    job = bench.job(
        "what is x?",
        agent="coder",
        model=model("one", provider_double),
        fallbacks=[{"model": model("two", provider_double), "credential_ref": None}],
    )
    assert await bench.run(job) == "failed"
    assert [event.code for event in bench.relay.of(RunFailed)] == ["provider_auth_failed"]


async def test_gives_up_its_slot_when_its_keys_limit_leaves_no_room(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_client: redis.Redis
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(Turn(calls=(Call("read_file", {"path": "a.py"}),), usage=(9_000, 10)))
    job = bench.job("what is x?", agent="coder", model=model("one", provider_double, tokens_per_minute=600))
    assert await bench.run(job) == "suspended"
    assert [(event.reason, event.waits_for) for event in bench.relay.of(RunSuspended)] == [("limit", [])]
    assert "Waiting for the rate limit of one" not in [event.title for event in bench.relay.of(StepStarted)]
    assert len(provider_double.asked) == 1


async def test_shows_that_it_waits_for_its_keys_limit(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_client: redis.Redis
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Turn(fault=Fault("http", 429, headers={"Retry-After": "1"})),
        Turn(calls=(Call("finish", {"answer": "It is one."}),)),
    )
    job = bench.job("what is x?", agent="coder", model=model("one", provider_double))
    other = bench.job("what is x?", agent="coder", model=model("one", provider_double))
    running = asyncio.create_task(bench.run(job))
    while not provider_double.asked:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    provider_double.say(Turn(calls=(Call("finish", {"answer": "It is one."}),)))
    assert await bench.run(other) == "finished"
    assert await running == "finished"
    assert "Waiting for the rate limit of one" in [event.title for event in bench.relay.of(StepStarted)]


async def test_the_embedded_provider_embeds_by_the_packaged_model(
    redis_server: RedisServer, redis_client: redis.Redis
) -> None:
    client = AsyncRedis.from_url(redis_server.url)
    job = Job(
        run_id="r1",
        fence=1,
        workspace_id=1,
        agent="coder",
        goal="",
        base_commit="",
        model=EMBEDDED_CHOICE.to_dict(),
    )
    publisher = EventPublisher(client, run_id="r1", fence=1, next_seq=1)
    models = await open_models(
        job,
        config=load_config({"PYAGENT_HOME": "/nonexistent", "REDIS_URL": redis_server.url}),
        client=client,
        recorder=StepRecorder(publisher),
        spending=Spending(Budget()),
    )
    assert models.capabilities().has_embeddings
    cat, kitten, stock = await models.embed(["a cat", "a kitten", "stock prices fell"])
    assert len(cat) == 384
    assert sum(map(mul, cat, kitten)) > 0.5 > sum(map(mul, cat, stock))
    await models.aclose()
    await client.aclose()
