from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

from workers.config import get_config, load_config
from workers.errors import ConfigError
from workers.providers.addresses import ProviderAddressRefused
from workers.providers.base import Provider, ReplyLimits
from workers.providers.embedded import EmbeddedProvider
from workers.providers.openai_compatible import OpenAICompatibleProvider
from workers.providers.registry import PROVIDERS, limits_of, open_provider
from workers.providers.types import EMBEDDED_CHOICE, ModelChoice, ProviderName


def test_has_a_line_for_every_name() -> None:
    assert set(PROVIDERS) == set(get_args(ProviderName))


@pytest.mark.parametrize("name", get_args(ProviderName))
async def test_opens_what_is_named(name: ProviderName) -> None:
    provider = open_provider(ModelChoice(name, "some-model"), secret="sk-1")
    assert isinstance(provider, Provider)
    assert provider.choice.model == "some-model"
    assert "sk-1" not in repr(provider)
    await provider.aclose()


async def test_the_embedded_model_is_free_short_and_without_tools() -> None:
    provider = open_provider(EMBEDDED_CHOICE, secret=None)
    can = provider.capabilities()
    assert (can.context_tokens, can.has_tools, can.has_json_schema) == (4096, False, True)
    assert can.price is not None and can.price.input_usd_per_mtok == 0
    await provider.aclose()


async def test_a_choice_can_say_what_its_model_can_do() -> None:
    choice = ModelChoice(
        "openai", "small", base_url="http://127.0.0.1:1/v1", context_tokens=2048, has_tools=False
    )
    provider = open_provider(choice, secret=None)
    can = provider.capabilities()
    assert (can.context_tokens, can.has_tools, can.has_json_schema, can.price) == (2048, False, True, None)
    await provider.aclose()


def test_a_choice_can_say_how_long_its_model_may_be_silent() -> None:
    usual = ReplyLimits(first_token_s=300.0)
    assert limits_of(ModelChoice("ollama", "m"), usual) == usual
    choice = ModelChoice("ollama", "m", first_token_s=5, between_tokens_s=2)
    assert limits_of(choice, usual) == ReplyLimits(first_token_s=5, between_tokens_s=2)


def test_obeys_the_operator_about_private_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE_ENDPOINTS", "0")
    get_config.cache_clear()
    try:
        with pytest.raises(ProviderAddressRefused):
            open_provider(ModelChoice("ollama", "m"), secret=None)
    finally:
        monkeypatch.undo()
        get_config.cache_clear()


@pytest.mark.parametrize("value", ["maybe", "2"])
def test_refuses_a_setting_that_is_neither_yes_nor_no(value: str) -> None:
    with pytest.raises(ConfigError, match="PYAGENT_ALLOW_PRIVATE_ENDPOINTS"):
        load_config({"PYAGENT_ALLOW_PRIVATE_ENDPOINTS": value})


def test_loads_no_client_before_it_is_used() -> None:
    code = (
        "import sys, workers.providers.registry, workers.providers.types\n"
        "loaded = {'openai', 'anthropic', 'ollama', 'httpx', 'httpx2', 'django', 'numpy'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("base_url", "first_token_s"),
    [
        ("http://127.0.0.1:8080/v1", 900),
        ("http://localhost/v1", 900),
        ("http://10.1.2.3/v1", 900),
        ("https://models.example.org/v1", 120),
        ("", 120),
    ],
)
def test_a_model_nearby_is_given_time_to_read(base_url: str, first_token_s: float) -> None:
    choice = ModelChoice("openai", "small", base_url=base_url)
    assert OpenAICompatibleProvider.limits_for(choice).first_token_s == first_token_s


def test_the_embedded_model_keeps_its_own_patience() -> None:
    assert EmbeddedProvider.limits_for(EMBEDDED_CHOICE).first_token_s == 300
