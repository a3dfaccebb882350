"""What a goal's rounds have used up together, and what is left for the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from webapp.agents.budgets import default_budget
from webapp.agents.models import Run
from webapp.unattended.models import Goal
from workers.queue import Budget

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Spent:
    """Used up by all runs of a goal: its agent's and its auditor's."""

    rounds: int
    tokens: int
    cost_usd: float | None
    """None once a run had an unknown price."""
    seconds: int


def spent_on(goal: Goal, *, now: datetime) -> Spent:
    """Return what the goal has used up until `now`, or until its end."""
    rows = list(goal.rounds.values_list("run_id", "audit_id"))
    runs = _with_delegated({run_id for row in rows for run_id in row if run_id is not None})
    costs = [run.cost_usd for run in runs]
    return Spent(
        rounds=len(rows),
        tokens=sum(run.input_tokens + run.output_tokens for run in runs),
        cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        seconds=int(((goal.ended_at or now) - goal.created_at).total_seconds()),
    )


def _with_delegated(run_ids: set[UUID]) -> list[Run]:
    """Return these runs and all that they delegated, whose tokens stand in rows of their own."""
    columns = Run.objects.only("input_tokens", "output_tokens", "cost_usd")
    found = level = {run.pk: run for run in columns.filter(pk__in=run_ids)}
    while level:
        level = {run.pk: run for run in columns.filter(parent__in=level) if run.pk not in found}
        found |= level
    return list(found.values())


def exceeded(goal: Goal, spent: Spent, *, is_between: bool = True) -> str:
    """Return which limit leaves no room for more, in words; nothing while there is room. Rounds count between two of them."""
    if is_between and spent.rounds >= goal.max_rounds:
        return f"It has used its {goal.max_rounds} round{'' if goal.max_rounds == 1 else 's'}."
    if spent.seconds >= goal.max_seconds:
        return f"It has used its {goal.max_seconds:,} seconds."
    if goal.max_tokens is not None and spent.tokens >= goal.max_tokens:
        return f"It has used its {goal.max_tokens:,} tokens."
    if goal.max_cost_usd is None:
        return ""
    if spent.cost_usd is None:
        return (
            "What it costs cannot be told: the price of its model is not known, and its dollars are limited."
        )
    if spent.cost_usd >= goal.max_cost_usd:
        return f"It has used its {goal.max_cost_usd:g} dollars."
    return ""


def next_budget(goal: Goal, spent: Spent) -> Budget:
    """Return where the next run stops: at the limits of a round, and at what is left of the whole."""
    own = Budget(**goal.budget) if goal.budget else default_budget(goal.workspace)
    return Budget(
        steps=own.steps,
        tokens=_smaller(own.tokens, goal.max_tokens and goal.max_tokens - spent.tokens),
        seconds=max(1, min(own.seconds, goal.max_seconds - spent.seconds)),
        cost_usd=_smaller(
            own.cost_usd, None if goal.max_cost_usd is None else goal.max_cost_usd - (spent.cost_usd or 0.0)
        ),
    )


def _smaller(first: Number | None, second: Number | None) -> Number | None:
    known = [value for value in (first, second) if value is not None]
    return min(known) if known else None
