from __future__ import annotations

import pytest

from tests.framework.provider_double import Fault, ProviderDouble, Say
from tests.workers.providers.conftest import OpenProvider
from workers.errors import (
    ProviderAuthFailed,
    ProviderCutOff,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
)
from workers.providers.retry import RetryingProvider, RetryPolicy
from workers.providers.types import Message, ModelRequest, TextDelta

HELLO = ModelRequest(messages=(Message("user", "Hello"),))


class Waits(list[float]):
    """Notes each wait instead of waiting."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def retrying(open_at_double: OpenProvider, waits: Waits) -> RetryingProvider:
    inner = open_at_double("openai")
    return RetryingProvider(inner, RetryPolicy(tries=4, give_up_s=60), sleep=waits, jitter=lambda: 0.5)


async def test_tries_again_and_waits_longer_each_time(
    retrying: RetryingProvider, provider_double: ProviderDouble, waits: Waits
) -> None:
    provider_double.say(*[Say(fault=Fault("http", 500))] * 3, "there")
    assert (await retrying.generate(HELLO)).text == "there"
    assert waits == [0.375, 0.75, 1.5]


async def test_gives_up_after_its_tries_with_the_last_error(
    retrying: RetryingProvider, provider_double: ProviderDouble
) -> None:
    provider_double.say(*[Say(fault=Fault("http", 503))] * 9)
    with pytest.raises(ProviderUnavailable):
        await retrying.generate(HELLO)
    assert len(provider_double.asked) == 4


async def test_waits_at_least_as_long_as_the_provider_asks(
    retrying: RetryingProvider, provider_double: ProviderDouble, waits: Waits
) -> None:
    provider_double.say(Say(fault=Fault("http", 429, headers={"Retry-After": "12"})), "there")
    assert (await retrying.generate(HELLO)).text == "there"
    assert 12.0 <= waits[0] <= 13.0


async def test_does_not_begin_a_wait_that_passes_its_deadline(
    retrying: RetryingProvider, provider_double: ProviderDouble, waits: Waits
) -> None:
    provider_double.say(Say(fault=Fault("http", 429, headers={"Retry-After": "61"})))
    with pytest.raises(ProviderRateLimited) as caught:
        await retrying.generate(HELLO)
    assert caught.value.facts["retry_after_s"] == 61
    assert waits == []


async def test_never_tells_a_story_twice(
    retrying: RetryingProvider, provider_double: ProviderDouble, waits: Waits
) -> None:
    provider_double.say(Say("one two three four", fault=Fault("cut")), "again")
    heard = []
    with pytest.raises(ProviderCutOff):
        async for item in retrying.stream(HELLO):
            heard.append(item)
    assert all(isinstance(item, TextDelta) for item in heard)
    assert (len(provider_double.asked), waits) == (1, [])


@pytest.mark.parametrize(
    ("fault", "expected"), [(Fault("http", 401), ProviderAuthFailed), (Fault("hang"), ProviderTimeout)]
)
async def test_does_not_repeat_what_cannot_help(
    retrying: RetryingProvider, provider_double: ProviderDouble, fault: Fault, expected: type[Exception]
) -> None:
    provider_double.say(Say(fault=fault), "again")
    with pytest.raises(expected):
        await retrying.generate(HELLO)
    assert len(provider_double.asked) == 1


async def test_the_test_button_tells_the_first_error_at_once(
    retrying: RetryingProvider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say(fault=Fault("http", 500)), "again")
    with pytest.raises(ProviderUnavailable):
        await retrying.check()
