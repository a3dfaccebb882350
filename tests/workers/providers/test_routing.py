from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.framework.provider_double import Fault, ProviderDouble, Say
from tests.workers.providers.conftest import OpenProvider
from workers.errors import (
    BudgetExceeded,
    ContextTooLong,
    CredentialRefused,
    ProviderAuthFailed,
    ProviderCutOff,
    ProviderUnavailable,
    PyAgentError,
    RateLimitTooLong,
    RunSuspends,
)
from workers.providers.base import Provider
from workers.providers.forwarding import ForwardingProvider
from workers.providers.routing import REST_S, Candidate, RoutingProvider
from workers.providers.types import Message, ModelChoice, ModelRequest, StreamItem, TextDelta, ToolSpec

HELLO = ModelRequest(messages=(Message("user", "Hello"),))
TOOL = ToolSpec("look", "Look.", {"type": "object", "properties": {}})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """Two models or more at one double; each asks it under its own name."""

    def __init__(self, open_it: OpenProvider, double: ProviderDouble) -> None:
        self._open, self.double, self.clock = open_it, double, Clock()
        self.told: list[tuple[str, str, str]] = []

    def candidate(self, model: str, *, error: PyAgentError | None = None, **choice: Any) -> Candidate:
        provider: Provider | None = None

        async def open_it() -> Provider:
            nonlocal provider
            if error is not None:
                raise error
            provider = self._open("openai", choice={"model": model, **choice})
            return provider

        return Candidate(ModelChoice("openai", model), open_it)

    async def routing(self, *candidates: Candidate) -> RoutingProvider:
        async def tell(failed: ModelChoice, error: PyAgentError, following: ModelChoice) -> None:
            self.told.append((failed.model, error.code, following.model))

        routing = RoutingProvider(candidates, tell=tell, clock=self.clock)
        await routing.open()
        return routing

    @property
    def asked(self) -> list[str]:
        return [asked.model for asked in self.double.asked]


@pytest.fixture
def bench(open_at_double: OpenProvider, provider_double: ProviderDouble) -> Bench:
    return Bench(open_at_double, provider_double)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("http", 401), "provider_auth_failed"),
        (Fault("http", 503), "provider_unavailable"),
        (Fault("http", 429, headers={"Retry-After": "600"}), "provider_rate_limited"),
        (Fault("http", 400, message="maximum context length is 9 tokens"), "context_too_long"),
        (Fault("http", 404, message="no such model"), "provider_rejected"),
        (Fault("hang"), "provider_timeout"),
    ],
)
async def test_asks_the_next_model_when_one_fails_before_its_first_token(
    bench: Bench, fault: Fault, code: str
) -> None:
    bench.double.say(Say(fault=fault), "From the second.")
    routing = await bench.routing(bench.candidate("one"), bench.candidate("two"))
    assert (await routing.generate(HELLO)).text == "From the second."
    assert bench.told == [("one", code, "two")]
    assert routing.choice.model == "two"


async def test_never_tells_the_story_twice(bench: Bench) -> None:
    bench.double.say(Say("one two three four five six", fault=Fault("cut")), "again")
    routing = await bench.routing(bench.candidate("one"), bench.candidate("two"))
    heard = []
    with pytest.raises(ProviderCutOff):
        async for item in routing.stream(HELLO):
            heard.append(item)
    assert any(isinstance(item, TextDelta) for item in heard)
    assert bench.asked == ["one"] and bench.told == []


async def test_a_model_that_failed_rests_and_is_asked_again_later(bench: Bench) -> None:
    bench.double.say(Say(fault=Fault("http", 503)), "a", "b", "c")
    routing = await bench.routing(bench.candidate("one"), bench.candidate("two"))
    await routing.generate(HELLO)
    await routing.generate(HELLO)
    bench.clock.now = REST_S + 1
    await routing.generate(HELLO)
    assert bench.asked == ["one", "two", "two", "one"]


async def test_a_refused_key_rests_for_the_whole_run(bench: Bench) -> None:
    bench.double.say(Say(fault=Fault("http", 401)), "a", "b")
    routing = await bench.routing(bench.candidate("one"), bench.candidate("two"))
    await routing.generate(HELLO)
    bench.clock.now = 1e9
    await routing.generate(HELLO)
    assert bench.asked == ["one", "two", "two"]


async def test_what_is_too_long_for_one_goes_to_the_next_without_asking(bench: Bench) -> None:
    bench.double.say("Read it.", "Short.")
    routing = await bench.routing(
        bench.candidate("one", context_tokens=300), bench.candidate("two", context_tokens=9000)
    )
    long = ModelRequest(messages=(Message("user", "word " * 1000),))
    assert (await routing.generate(long)).text == "Read it."
    await routing.generate(HELLO)
    assert bench.asked == ["two", "one"]
    assert bench.told == [("one", "context_too_long", "two")]


async def test_leaves_out_a_model_that_cannot_call_tools(bench: Bench) -> None:
    bench.double.say(Say(fault=Fault("http", 503)), "From the third.")
    routing = await bench.routing(
        bench.candidate("one"), bench.candidate("two", has_tools=False), bench.candidate("three")
    )
    await routing.generate(ModelRequest(messages=HELLO.messages, tools=(TOOL,)))
    assert bench.asked == ["one", "three"]
    assert [code for _, code, _ in bench.told] == ["provider_unavailable", "not_supported"]


async def test_says_why_the_first_failed_when_all_did(bench: Bench) -> None:
    bench.double.say(Say(fault=Fault("http", 401)), Say(fault=Fault("http", 503)))
    routing = await bench.routing(bench.candidate("one"), bench.candidate("two"))
    with pytest.raises(ProviderAuthFailed):
        await routing.generate(HELLO)


async def test_one_that_can_be_shortened_for_wins_over_other_failures(bench: Bench) -> None:
    bench.double.say(
        Say(fault=Fault("http", 503)), Say(fault=Fault("http", 400, message="prompt is too long"))
    )
    routing = await bench.routing(bench.candidate("one"), bench.candidate("two"))
    with pytest.raises(ContextTooLong):
        await routing.generate(HELLO)


async def test_opens_another_model_only_when_it_is_needed_and_goes_on_without_a_key(bench: Bench) -> None:
    bench.double.say("a", Say(fault=Fault("http", 503)), "b")
    refused = bench.candidate("two", error=CredentialRefused(status=404))
    third = bench.candidate("three")
    routing = await bench.routing(bench.candidate("one"), refused, third)
    await routing.generate(HELLO)
    assert third.provider is None
    assert (await routing.generate(HELLO)).text == "b"
    assert bench.told == [("one", "provider_unavailable", "two"), ("two", "credential_refused", "three")]


async def test_begins_with_the_first_that_can_be_opened(bench: Bench) -> None:
    refused = bench.candidate("one", error=CredentialRefused(status=404))
    routing = await bench.routing(refused, bench.candidate("two"))
    assert routing.choice.model == "two" and routing.capabilities().has_tools
    assert bench.told == [("one", "credential_refused", "two")]
    with pytest.raises(CredentialRefused):
        await bench.routing(bench.candidate("one", error=CredentialRefused(status=404)))


class Raising(ForwardingProvider):
    def __init__(self, inner: Provider, error: Exception) -> None:
        super().__init__(inner)
        self._error = error

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamItem, None]:
        raise self._error
        yield


def raising(bench: Bench, model: str, error: Exception) -> Candidate:
    inner = bench.candidate(model)

    async def open_it() -> Provider:
        return Raising(await inner.open(), error)

    return Candidate(inner.choice, open_it)


async def test_suspends_the_run_when_every_model_waits_for_its_limit(bench: Bench) -> None:
    full = RateLimitTooLong("full", retry_after_s=90)
    routing = await bench.routing(raising(bench, "one", full), raising(bench, "two", ProviderUnavailable()))
    with pytest.raises(RunSuspends) as wish:
        await routing.generate(HELLO)
    assert wish.value.reason == "limit"


async def test_a_full_bucket_sends_the_question_on(bench: Bench) -> None:
    bench.double.say("From the second.")
    full = RateLimitTooLong("full", retry_after_s=90)
    routing = await bench.routing(raising(bench, "one", full), bench.candidate("two"))
    assert (await routing.generate(HELLO)).text == "From the second."


async def test_a_budget_that_is_used_up_ends_it_whatever_other_models_cost(bench: Bench) -> None:
    routing = await bench.routing(
        raising(bench, "one", BudgetExceeded(limit="tokens")), bench.candidate("two")
    )
    with pytest.raises(BudgetExceeded):
        await routing.generate(HELLO)
    assert bench.asked == []


async def test_embeds_by_the_first_that_can(bench: Bench) -> None:
    bench.double.say(Say(fault=Fault("http", 501)), Say())
    routing = await bench.routing(bench.candidate("one"), bench.candidate("nomic-embed-text"))
    assert len(await routing.embed(["a", "b"])) == 2
    assert bench.told == [("one", "not_supported", "nomic-embed-text")]


async def test_leaves_out_a_model_whose_price_nobody_knows_where_money_is_limited(bench: Bench) -> None:
    bench.double.say("From the second.")
    unpriced = BudgetExceeded("nobody knows the price", limit="price")
    routing = await bench.routing(raising(bench, "one", unpriced), bench.candidate("two"))
    assert (await routing.generate(HELLO)).text == "From the second."
    routing = await bench.routing(raising(bench, "one", unpriced), raising(bench, "two", unpriced))
    with pytest.raises(BudgetExceeded):
        await routing.generate(HELLO)
