from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import ConfigError
from workers.providers.types import ModelChoice, Price, Usage, cost_usd

PRICE = Price(3.0, 15.0)


def test_costs_what_the_table_says() -> None:
    assert cost_usd(Usage(1_000_000, 100_000), PRICE) == pytest.approx(4.5)


def test_an_unknown_price_or_usage_is_unknown_and_not_free() -> None:
    assert cost_usd(Usage(10, 10), None) is None
    assert cost_usd(None, PRICE) is None
    assert cost_usd(Usage(10, 10), Price(0.0, 0.0)) == 0.0


def test_cached_tokens_cost_their_own_price_and_the_full_one_when_it_is_unknown() -> None:
    usage = Usage(1_000_000, 0, cached_input_tokens=500_000, cache_write_tokens=100_000)
    assert cost_usd(usage, PRICE) == pytest.approx(3.0)
    known = Price(3.0, 15.0, cached_input_usd_per_mtok=0.3, cache_write_usd_per_mtok=3.75)
    assert cost_usd(usage, known) == pytest.approx(0.4 * 3 + 0.5 * 0.3 + 0.1 * 3.75)


@given(
    st.builds(
        ModelChoice,
        provider=st.sampled_from(["embedded", "openai", "anthropic", "ollama"]),
        model=st.text(max_size=20),
        base_url=st.none() | st.just("http://127.0.0.1:1/v1"),
        context_tokens=st.none() | st.integers(1, 10**6),
        price=st.none() | st.builds(Price, st.floats(0, 100), st.floats(0, 100)),
        has_tools=st.none() | st.booleans(),
        extra=st.dictionaries(st.text(max_size=5), st.integers(-9, 9), max_size=2),
    )
)
def test_a_choice_survives_json(choice: ModelChoice) -> None:
    assert ModelChoice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"provider": "openai"},
        {"provider": "nobody", "model": "x"},
        {"provider": "openai", "model": 7},
        {"provider": "openai", "model": "x", "api_key": "sk"},
        {"provider": "openai", "model": "x", "price": {"input": 1}},
        {"provider": "openai", "model": "x", "price": 3},
    ],
)
def test_refuses_a_choice_that_cannot_be_read(data: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ModelChoice.from_dict(data)
