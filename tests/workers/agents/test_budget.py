from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from workers.agents.budget import Spending
from workers.errors import BudgetExceeded, ConfigError
from workers.providers.types import Price
from workers.queue import Budget


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def spend(
    budget: Budget, *, calls: int = 1, cost: float | None = 0.1, clock: Clock | None = None
) -> Spending:
    spending = Spending(budget, clock=clock or Clock())
    for _ in range(calls):
        spending.add(input_tokens=100, output_tokens=10, cost_usd=cost)
    return spending


@pytest.mark.parametrize(
    ("limits", "which"),
    [({"steps": 3}, "steps"), ({"tokens": 330}, "tokens"), ({"cost_usd": 0.3}, "cost"), ({"steps": 4}, None)],
)
def test_names_the_limit_that_is_used_up(limits: dict[str, Any], which: str | None) -> None:
    exceeded = spend(Budget(**({"steps": 40} | limits)), calls=3).exceeded()
    assert (exceeded.facts["limit"] if exceeded else None) == which


def test_seconds_count_over_all_attempts() -> None:
    clock = Clock()
    history = [{"kind": "command", "status": "ok", "duration_ms": 4000}]
    spending = Spending.resume(asdict(Budget(seconds=10)), history)
    spending._clock = clock
    spending._started = clock.now
    clock.now += 5
    assert spending.exceeded() is None
    assert spending.seconds_left == pytest.approx(1.0)
    clock.now += 2
    exceeded = spending.exceeded()
    assert exceeded is not None and exceeded.facts["limit"] == "seconds"


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    spending = spend(Budget(cost_usd=0.01), cost=None)
    assert spending.cost_usd is None
    assert spending.exceeded() is None
    assert spending.describe() == "1 model calls, 110 tokens, price unknown"


def test_one_unknown_price_frees_no_other_call_from_the_limit_in_dollars() -> None:
    """Trap: a run that fell back once on a model of unknown price could spend any sum on the other."""
    spending = spend(Budget(tokens=None, cost_usd=0.5), calls=4)
    spending.add(input_tokens=100, output_tokens=10, cost_usd=None)
    assert spending.cost_usd is None and spending.exceeded() is None
    assert spending.left.cost_usd == pytest.approx(0.1)
    assert spending.answer_room(1000, price=Price(1.0, 100.0)) in (989, 990)
    spending.add(input_tokens=100, output_tokens=10, cost_usd=0.1)
    over = spending.exceeded()
    assert over is not None and over.facts["limit"] == "cost"
    assert spending.describe().endswith("price unknown")


def test_what_a_run_below_has_spent_binds_also_beside_an_unknown_price() -> None:
    result = {"agent": "coder", "status": "finished", "cost_usd": None, "known_usd": 0.75}
    step = {"kind": "delegation", "status": "ok", "detail": {"result": result}}
    spending = Spending.resume(asdict(Budget(cost_usd=1.0)), [step])
    assert (spending.cost_usd, spending.left.cost_usd) == (None, 0.25)


def test_an_answer_never_costs_more_than_is_left() -> None:
    price = Price(1.0, 10.0)
    assert spend(Budget()).answer_room(1000, price=None) == 400_000 - 110 - 1000
    assert spend(Budget(tokens=None)).answer_room(1000, price=price) is None
    assert spend(Budget(tokens=None, cost_usd=0.2)).answer_room(50_000, price=price) == 5000
    with pytest.raises(BudgetExceeded) as caught:
        spend(Budget(tokens=1000)).answer_room(900, price=None)
    assert caught.value.facts["limit"] == "tokens"


def test_takes_up_what_earlier_attempts_spent() -> None:
    step = {"kind": "model_call", "status": "ok", "input_tokens": 5, "output_tokens": 2, "cost_usd": 0.5}
    broken = {
        "kind": "model_call",
        "status": "failed",
        "input_tokens": 0,
        "output_tokens": 0,
        "cost_usd": None,
    }
    spending = Spending.resume(asdict(Budget()), [step, broken, {"kind": "thought", "status": "ok"}])
    assert (spending.steps, spending.tokens, spending.cost_usd) == (1, 7, 0.5)
    with pytest.raises(ConfigError):
        Spending.resume({"stepz": 1}, [])


def test_what_was_cut_off_is_spent_and_is_no_call() -> None:
    cut_off = {"input_tokens": 300, "output_tokens": 20, "cost_usd": 0.25}
    spending = Spending.resume(asdict(Budget(tokens=400)), [], cut_off)
    assert (spending.steps, spending.tokens, spending.cost_usd) == (0, 320, 0.25)
    with pytest.raises(BudgetExceeded, match="tokens"):
        spending.answer_room(50, price=None)
    unpriced = Spending.resume(asdict(Budget()), [], {**cut_off, "cost_usd": None})
    assert unpriced.cost_usd is None


def test_the_time_of_what_was_cut_off_is_gone() -> None:
    cut_off = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0, "duration_ms": 21_000}
    spending = Spending.resume(asdict(Budget(seconds=20)), [], cut_off)
    over = spending.exceeded()
    assert over is not None and over.facts["limit"] == "seconds"


def test_a_connection_that_broke_before_it_said_a_word_has_cost_its_question() -> None:
    broken = {
        "kind": "model_call",
        "status": "failed",
        "input_tokens": 40,
        "output_tokens": 0,
        "cost_usd": 0.1,
    }
    assert Spending.resume(asdict(Budget()), [broken]).tokens == 40
