"""Where runs must stop: what a workspace's maintainers set for all runs, and the limits of any such limit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from django.db import transaction

from webapp.agents.models import DefaultBudget
from webapp.errors import Invalid
from webapp.workspaces.models import Workspace
from workers.queue import Budget

MAX_STEPS: Final = 1_000
MAX_TOKENS: Final = 1_000_000_000
MAX_SECONDS: Final = 24 * 3600
MAX_COST_USD: Final = 1_000_000


def default_budget(workspace: Workspace) -> Budget:
    """Return where runs of this workspace stop when who calls the agent says nothing else."""
    row = DefaultBudget.objects.filter(workspace=workspace).first()
    if row is None:
        return Budget()
    return Budget(steps=row.steps, tokens=row.tokens, seconds=row.seconds, cost_usd=row.cost_usd)


@transaction.atomic
def set_default_budget(*, workspace: Workspace, budget: Budget) -> None:
    """Let runs that are called from now on stop there.

    Raises:
        Invalid: a limit is out of bounds.
    """
    check_budget(budget)
    DefaultBudget.objects.update_or_create(workspace=workspace, defaults=asdict(budget))


def check_budget(budget: Budget) -> None:
    """Refuse limits that are none.

    Raises:
        Invalid: a limit is out of bounds; `field` names it.
    """
    if not 1 <= budget.steps <= MAX_STEPS:
        raise Invalid(f"A run makes 1 to {MAX_STEPS:,} model calls.", field="steps")
    if budget.tokens is not None and not 1 <= budget.tokens <= MAX_TOKENS:
        raise Invalid(f"A run uses 1 to {MAX_TOKENS:,} tokens.", field="tokens")
    if not 1 <= budget.seconds <= MAX_SECONDS:
        raise Invalid(f"A run lasts 1 to {MAX_SECONDS:,} seconds.", field="seconds")
    if budget.cost_usd is not None and not 0 <= budget.cost_usd <= MAX_COST_USD:
        raise Invalid(f"A run costs 0 to {MAX_COST_USD:,} dollars.", field="cost_usd")
