"""Handing goals to other agents: what is told, what comes back, and the pause in between.

The run that hands a goal on gives up its slot until the answers are there, so that even one worker is enough for any depth.
Steps and runs of a delegation are named after what was asked, not after when: an attempt that begins again finds what an
earlier one had handed on, and hands nothing on twice.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any, Final

from blake3 import blake3

from workers.agents.base import RunState
from workers.agents.errors import DelegationRefused
from workers.agents.lineage import CascadeContext, share
from workers.errors import BudgetExceeded, RunSuspends
from workers.events import RunDelegated
from workers.reasoning.tree import Step
from workers.tools.text import bound, first_line

CASCADE_S: Final = 6 * 3600
"""How long a cascade may take by the clock, waiting for slots and people included."""
ANSWER_CHARS: Final = 6_000
TITLE_CHARS: Final = 160
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """A goal for another agent."""

    key: str
    """Names it among all of this run, the same on every attempt."""
    agent: str
    goal: str
    scope: frozenset[str] | None = None
    """What it may do; as much as this run when None."""
    base_commit: str = ""
    """What it begins with; this run's own files as they are now when empty."""

    @property
    def step_id(self) -> str:
        return f"d{blake3(self.key.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"

    @property
    def title(self) -> str:
        return f"@{self.agent}: {first_line(self.goal, TITLE_CHARS)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegated:
    """What became of a delegation: `status` is that of the other run, or "refused" when there was none."""

    agent: str
    status: str
    answer: str = ""
    error: str = ""
    run_id: str = ""
    change_set_id: int | None = None
    commit: str = ""
    """What the other run offers, when it changed files."""
    tokens: int = 0
    seconds: float = 0.0
    cost_usd: float | None = 0.0
    known_usd: float = 0.0
    """What of the cost is known, also where the whole is not."""

    @property
    def is_ok(self) -> bool:
        return self.status == "finished"

    @classmethod
    def from_step(cls, step: Mapping[str, Any]) -> Delegated | None:
        """Return what a finished step of kind delegation tells; None for any other step."""
        if step["kind"] != "delegation":
            return None
        result = (step.get("detail") or {}).get("result")
        if not isinstance(result, dict):
            return None
        return cls(**{name: value for name, value in result.items() if name in cls.__dataclass_fields__})

    def describe(self) -> str:
        """Return it for a model: who, how it ended, what was said and offered."""
        offer = f" It offers change set {self.change_set_id}." if self.change_set_id else ""
        said = self.answer if self.is_ok else self.error or self.answer
        return f"@{self.agent} {self.status}.{offer}\n{bound(said.strip(), ANSWER_CHARS)}".strip()


def child_run_id(run_id: str, step_id: str) -> str:
    """Return the id of the run that this step of that run leads to: one, however often it is told."""
    return str(uuid.uuid5(uuid.UUID(run_id), step_id))


def results_in(history: Iterable[Mapping[str, Any]]) -> dict[str, Delegated]:
    """Return what delegations brought, by step."""
    found = {step["step_id"]: Delegated.from_step(step) for step in history}
    return {step_id: result for step_id, result in found.items() if result is not None}


async def delegate(
    run: RunState,
    delegations: Sequence[Delegation],
    *,
    parent: Step | str | None = None,
    waits_any: bool = False,
) -> list[Delegated]:
    """Return what the other agents made of their goals, in order. Those not handed on yet start together.

    Raises:
        RunSuspends: they are at work; the run goes on when all of them have ended, with `waits_any` when one of them has.
        RunSuperseded, RelaySilent: as everything that waits for the relay.
    """
    results = results_in(run.history)
    missing = [one for one in delegations if one.step_id not in results]
    part = share(run.spending.left, len(missing) + 1)
    waits_for: list[str] = []
    async with AsyncExitStack() as steps:
        for one in missing:
            if one.step_id in run.job.open_steps:
                waits_for.append(one.step_id)
                continue
            try:
                context = _context(run, one, part)
            except (DelegationRefused, BudgetExceeded) as error:
                results[one.step_id] = await record_unbegun(run, one, REFUSED, str(error), parent=parent)
                continue
            detail = {"agent": one.agent, "goal": one.goal, "run_id": context.run_id}
            begun = run.recorder.step(
                "delegation", one.title, parent=parent, detail=detail, step_id=one.step_id
            )
            step = await steps.enter_async_context(begun)
            step.detail |= detail
            run.publisher.publish(
                RunDelegated,
                step_id=one.step_id,
                agent=one.agent,
                goal=one.goal,
                lineage=context.to_dict(),
                budget=asdict(context.budget),
                base_commit=one.base_commit or run.workplace.head,
            )
            waits_for.append(one.step_id)
        if waits_for:
            await run.publisher.settle()
            raise RunSuspends("children", waits_for, waits_any=waits_any)
    return [results[one.step_id] for one in delegations]


def _context(run: RunState, one: Delegation, part: Any) -> CascadeContext:
    lineage = run.lineage
    return lineage.child(
        run_id=child_run_id(run.job.run_id, one.step_id),
        agent=one.agent,
        goal=one.goal,
        left=part,
        step_id=one.step_id,
        scope=one.scope,
        deadline=time.time() + CASCADE_S if lineage.deadline is None else None,
    )


async def record_unbegun(
    run: RunState, one: Delegation, status: str, reason: str, *, parent: Step | str | None = None
) -> Delegated:
    """Return the outcome of a goal that was not handed on, told as a step: it has an end too, with its reason. Told once."""
    if (known := results_in(run.history).get(one.step_id)) is not None:
        return known
    result = Delegated(agent=one.agent, status=status, error=reason)
    async with run.recorder.step("delegation", one.title, parent=parent, step_id=one.step_id) as step:
        step.fail(reason)
        step.detail |= {"agent": one.agent, "goal": one.goal, "result": asdict(result)}
    return result
