"""Limits: what each model call costs, and where the run must stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from workers.agents.base import RunState
from workers.errors import BudgetExceeded
from workers.providers.types import ModelReply, cost_usd
from workers.reasoning.tree import Step

CHARS_PER_TOKEN = 3.2
"""A careful guess for code and English where a provider does not count."""


class GovernanceMixin:
    """Charges a run for its model calls and ends it within its budget.

    Expects nothing of the class; the spending comes with the run.
    """

    def charge(self, run: RunState, step: Step, reply: ModelReply, *, sent_chars: int) -> None:
        """Count a reply against the budget and tell it in its step; a missing count is estimated and said to
        be."""
        usage, price = reply.usage, run.provider.capabilities().price if run.provider else None
        if usage is None:
            said = len(reply.text) + sum(len(call.raw) for call in reply.tool_calls)
            step.input_tokens = round(sent_chars / CHARS_PER_TOKEN)
            step.output_tokens = round(said / CHARS_PER_TOKEN)
            step.detail["tokens"] = "estimated: the provider did not count them"
        else:
            step.input_tokens, step.output_tokens = usage.input_tokens, usage.output_tokens
        step.cost_usd = cost_usd(usage, price)
        step.detail["model"] = run.provider.choice.model if run.provider else reply.model
        run.spending.add(
            input_tokens=step.input_tokens, output_tokens=step.output_tokens, cost_usd=step.cost_usd
        )

    def check_budget(self, run: RunState) -> None:
        """Raise BudgetExceeded when a limit is used up; its `limit` says which."""
        if (exceeded := run.spending.exceeded()) is not None:
            raise exceeded

    @asynccontextmanager
    async def within_time(self, run: RunState) -> AsyncIterator[None]:
        """Cancel the block when the run's seconds are used up, and raise BudgetExceeded."""
        timer = asyncio.timeout(run.spending.seconds_left)
        try:
            async with timer:
                yield
        except TimeoutError:
            if not timer.expired():
                raise
            seconds = run.spending.budget.seconds
            raise BudgetExceeded(f"It has used its {seconds} seconds.", limit="seconds") from None
