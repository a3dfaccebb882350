"""What a run has spent and where it must stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from workers.agents.lineage import Spent
from workers.errors import BudgetExceeded, ConfigError
from workers.providers.types import Price
from workers.queue import Budget

MIN_ANSWER_TOKENS = 64


class Spending:
    """Counts a run's model calls, tokens, seconds and dollars: also those of earlier attempts and of runs below."""

    def __init__(self, budget: Budget, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget = budget
        self._clock = clock
        self._started = clock()
        self._earlier_s = 0.0
        self._children_tokens = 0
        self._reserved_tokens = 0
        self._reserved_usd = 0.0
        self.steps = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_usd: float | None = 0.0
        """None once a call had an unknown price: then the sum is unknown too."""
        self.known_usd = 0.0
        """What the calls with a known price have cost: a limit in dollars binds these, whatever others cost."""

    @classmethod
    def resume(
        cls,
        budget: Mapping[str, Any],
        history: Iterable[Mapping[str, Any]],
        cut_off: Mapping[str, Any] | None = None,
    ) -> Spending:
        """Return the spending of a run of which these steps are finished.

        Args:
            cut_off: What steps used that were cut off (`Job.cut_off`). They are done again, so they are no calls of the run,
                but their time, tokens and dollars are gone.

        Raises:
            ConfigError: the budget holds something else than limits.
        """
        try:
            spending = cls(Budget(**budget))
        except TypeError as error:
            raise ConfigError(f"the budget cannot be read: {error}") from error
        for step in history:
            if (step.get("detail") or {}).get("taken_over_from"):
                continue  # another run's work
            if step["kind"] == "delegation":
                spending._add_child((step.get("detail") or {}).get("result") or {})
                continue
            spending._earlier_s += (step.get("duration_ms") or 0) / 1000
            used = step.get("input_tokens", 0), step.get("output_tokens", 0)
            if step["kind"] == "model_call" and (step["status"] == "ok" or any(used)):
                spending.add(input_tokens=used[0], output_tokens=used[1], cost_usd=step.get("cost_usd"))
        if cut_off:
            spending._earlier_s += (cut_off.get("duration_ms") or 0) / 1000
            spending._add_tokens(
                int(cut_off["input_tokens"]), int(cut_off["output_tokens"]), cut_off["cost_usd"]
            )
        return spending

    def add(self, *, input_tokens: int, output_tokens: int, cost_usd: float | None) -> None:
        """Count one model call."""
        self.steps += 1
        self._add_tokens(input_tokens, output_tokens, cost_usd)

    def _add_tokens(self, input_tokens: int, output_tokens: int, cost_usd: float | None) -> None:
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self._add_cost(cost_usd, known_usd=cost_usd or 0.0)

    def _add_cost(self, cost_usd: float | None, *, known_usd: float) -> None:
        self.cost_usd = None if cost_usd is None or self.cost_usd is None else self.cost_usd + cost_usd
        self.known_usd += known_usd

    def _add_child(self, result: Mapping[str, Any]) -> None:
        """Count what a run below has used; the clock stood still here meanwhile."""
        self._children_tokens += int(result.get("tokens") or 0)
        self._earlier_s += float(result.get("seconds") or 0)
        cost = result.get("cost_usd", 0.0)
        self._add_cost(cost, known_usd=float(result.get("known_usd", cost) or 0.0))

    @contextmanager
    def reserved(self, *, tokens: int, cost_usd: float | None) -> Iterator[None]:
        """Count a call's worst case while it is at work, so that calls beside it cannot spend the same."""
        self._reserved_tokens += tokens
        self._reserved_usd += cost_usd or 0.0
        try:
            yield
        finally:
            self._reserved_tokens -= tokens
            self._reserved_usd -= cost_usd or 0.0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self._children_tokens

    @property
    def left(self) -> Budget:
        """What this run and those below it may still use."""
        spent = Spent(
            tokens=self.tokens, seconds=self.seconds, cost_usd=self.cost_usd, known_usd=self.known_usd
        )
        return spent.left_of(self.budget)

    @property
    def seconds(self) -> float:
        return self._earlier_s + self._clock() - self._started

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.budget.seconds - self.seconds)

    def answer_room(self, sent_tokens: int, *, price: Price | None) -> int | None:
        """Return how many tokens the answer to a question of `sent_tokens` may have; None means any number.

        Raises:
            BudgetExceeded: too few for an answer that says something.
        """
        rooms: list[tuple[float, str]] = []
        if self.budget.tokens is not None:
            rooms.append((self.budget.tokens - self.tokens - self._reserved_tokens - sent_tokens, "tokens"))
        if self.budget.cost_usd is not None and price and price.output_usd_per_mtok:
            asked_usd = sent_tokens * price.input_usd_per_mtok / 1e6
            left_usd = self.budget.cost_usd - self.known_usd - self._reserved_usd - asked_usd
            rooms.append((left_usd / price.output_usd_per_mtok * 1e6, "cost"))
        if not rooms:
            return None
        room, limit = min(rooms)
        if room < MIN_ANSWER_TOKENS:
            raise BudgetExceeded(
                f"What is left of its {limit} is too little for one more answer.", limit=limit
            )
        return int(room)

    def exceeded(self) -> BudgetExceeded | None:
        """Return which limit is used up, or None. A limit in dollars binds what has a known price."""
        budget = self.budget
        if self.steps >= budget.steps:
            return BudgetExceeded(f"It has used its {budget.steps} model calls.", limit="steps")
        if budget.tokens is not None and self.tokens >= budget.tokens:
            return BudgetExceeded(f"It has used its {budget.tokens:,} tokens.", limit="tokens")
        if self.seconds >= budget.seconds:
            return BudgetExceeded(f"It has used its {budget.seconds} seconds.", limit="seconds")
        if budget.cost_usd is not None and self.known_usd >= budget.cost_usd:
            return BudgetExceeded(f"It has used its {budget.cost_usd:g} dollars.", limit="cost")
        return None

    def describe(self) -> str:
        """Return "12 model calls, 34,567 tokens, $0.12"; an unknown price is said to be unknown."""
        cost = "price unknown" if self.cost_usd is None else f"${self.cost_usd:.4f}"
        return f"{self.steps} model calls, {self.tokens:,} tokens, {cost}"
