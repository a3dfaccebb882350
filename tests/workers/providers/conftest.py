"""What the tests of providers share: each provider, opened against the double."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio

from tests.framework.provider_double import ProviderDouble, Say
from workers.config import get_config
from workers.providers.base import Provider, ReplyLimits
from workers.providers.registry import open_provider
from workers.providers.retry import RetryPolicy
from workers.providers.types import AudioPart, Message, ModelChoice, ModelRequest

CANARY = "sk-canary-7f3a9b21"
NO_RETRY = RetryPolicy(tries=1)
QUICK = ReplyLimits(connect_s=2, first_token_s=2.0, between_tokens_s=1.0, total_s=20, reply_bytes=1_000_000)

NO_FIELDS: Mapping[str, Any] = {}
LONG = ReplyLimits(connect_s=60, first_token_s=60, between_tokens_s=60)

OpenProvider = Callable[..., Provider]


@pytest.fixture(scope="session", autouse=True)
def _clients_are_loaded() -> None:
    """Have the official clients load what they load at their first call: on a busy machine that takes longer than `QUICK`."""

    async def ask_each() -> None:
        async with ProviderDouble(lambda _asked: Say("ok")) as double:
            for name in ("openai", "responses", "anthropic", "ollama"):
                choice = ModelChoice.from_dict(
                    {"provider": name, "model": "double-1", "base_url": double.base_url(name)}
                )
                provider = open_provider(choice, secret=CANARY, limits=LONG, retries=NO_RETRY)
                await provider.generate(ModelRequest(messages=(Message("user", "Hello"),)))
                if name in ("openai", "ollama"):
                    await provider.embed(["x"])
                if name == "openai":
                    await provider.transcribe(AudioPart(b"RIFF"))
                    await provider.speak("Hello")
                await provider.aclose()

    asyncio.run(ask_each())


@pytest.fixture(params=["openai", "responses", "anthropic", "ollama", "embedded"])
def provider_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest_asyncio.fixture
async def open_at_double(
    provider_double: ProviderDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[OpenProvider]:
    """Return a function that opens the provider with this name against the double."""
    opened: list[Provider] = []
    monkeypatch.setenv("PYAGENT_MODEL_URL", provider_double.base_url("embedded"))
    get_config.cache_clear()

    def open_it(
        name: str, *, secret: str | None = CANARY, choice: Mapping[str, Any] = NO_FIELDS, **options: Any
    ) -> Provider:
        fields = {"provider": name, "model": "double-1", "base_url": provider_double.base_url(name), **choice}
        options = {"limits": QUICK, "retries": NO_RETRY, **options}
        opened.append(open_provider(ModelChoice.from_dict(fields), secret=secret, **options))
        return opened[-1]

    yield open_it
    for provider in opened:
        await provider.aclose()
    get_config.cache_clear()


@pytest.fixture
def provider(open_at_double: OpenProvider, provider_name: str) -> Provider:
    return open_at_double(provider_name)
