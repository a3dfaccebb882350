"""Who asked whom: what a run inherits from the runs above it, and what it may hand on.

A `CascadeContext` is a value. It travels in the job and is never shared: handing a goal on makes a new one, so threads and
tasks need no lock. Nothing in it can grow on the way down: not the scope, not the budget, not the deadline, not the depth
that is left. What a child does not use returns by itself, since what is left is always counted from what was really spent.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self, TypeVar

from workers.agents.errors import DeadlinePassed, DelegationCycle, DelegationTooDeep
from workers.errors import BudgetExceeded, ConfigError
from workers.queue import Budget, Job

N = TypeVar("N", int, float)
MAX_DEPTH: Final = 4
"""Delegations between the run that a person asked for and the deepest one below it."""
MIN_TOKENS: Final = 1_000
"""Less than this holds no question and answer: an agent that begins with it would fail at once."""
MIN_SECONDS: Final = 5
READ, WRITE, COMMAND, DELEGATE = "read", "write", "command", "delegate"
WHOLE_SCOPE: Final = frozenset((READ, WRITE, COMMAND, DELEGATE))
"""What an agent may do at most: read files, change them in its own worktree, run commands there, hand goals on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A run above: `goal` is normalised."""

    run_id: str
    agent: str
    goal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What runs have used, or what is set aside for them. `cost_usd` is None while a price is unknown.

    `known_usd` is what of it has a price: only that binds a limit in dollars.
    """

    tokens: int = 0
    seconds: float = 0.0
    cost_usd: float | None = 0.0
    known_usd: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        is_known = self.cost_usd is not None and other.cost_usd is not None
        return Spent(
            tokens=self.tokens + other.tokens,
            seconds=self.seconds + other.seconds,
            cost_usd=(self.cost_usd or 0.0) + (other.cost_usd or 0.0) if is_known else None,
            known_usd=self.known_usd + other.known_usd,
        )

    def left_of(self, budget: Budget) -> Budget:
        """Return what remains of `budget`; what has an unknown price takes nothing from a limit in dollars."""
        return replace(
            budget,
            tokens=None if budget.tokens is None else max(0, budget.tokens - self.tokens),
            seconds=max(0, int(budget.seconds - self.seconds)),
            cost_usd=None if budget.cost_usd is None else max(0.0, budget.cost_usd - self.known_usd),
        )


def smaller(one: Budget, other: Budget) -> Budget:
    """Return the budget that keeps within both."""
    return Budget(
        steps=min(one.steps, other.steps),
        tokens=_least(one.tokens, other.tokens),
        seconds=min(one.seconds, other.seconds),
        cost_usd=_least(one.cost_usd, other.cost_usd),
    )


def share(budget: Budget, parts: int) -> Budget:
    """Return an equal part of what is left; model calls are each run's own and are not divided."""
    return replace(
        budget,
        tokens=None if budget.tokens is None else budget.tokens // parts,
        seconds=budget.seconds // parts,
        cost_usd=None if budget.cost_usd is None else budget.cost_usd / parts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeContext:
    """A run's place among the runs that led to it."""

    workspace_id: int
    run_id: str
    agent: str
    goal: str
    """Normalised, as in `normalise_goal`."""
    ancestors: tuple[Ancestor, ...] = ()
    """From the run that a person asked for down to the parent."""
    parent_step: str = ""
    """The parent's step by which it handed this goal on."""
    budget: Budget
    """What this run and all below it may use together: an allotment out of what its parent had left."""
    deadline: float | None = None
    """Seconds since the epoch after which nothing of the cascade goes on; None without delegation."""
    scope: frozenset[str] = WHOLE_SCOPE
    max_depth: int = MAX_DEPTH

    @classmethod
    def of_job(cls, job: Job) -> Self:
        """Return the context that a job carries; one that a person asked for begins a cascade.

        Raises:
            ConfigError: the lineage or the budget cannot be read.
        """
        if job.lineage:
            return cls.from_dict(job.lineage)
        try:
            budget = Budget(**job.budget)
        except TypeError as error:
            raise ConfigError(f"the budget cannot be read: {error}") from error
        return cls(
            workspace_id=job.workspace_id,
            run_id=job.run_id,
            agent=job.agent,
            goal=normalise_goal(job.goal),
            budget=budget,
        )

    @property
    def root_run_id(self) -> str:
        return self.ancestors[0].run_id if self.ancestors else self.run_id

    @property
    def parent_run_id(self) -> str | None:
        return self.ancestors[-1].run_id if self.ancestors else None

    @property
    def depth(self) -> int:
        return len(self.ancestors)

    @property
    def names(self) -> list[str]:
        """The agents from the root to this one."""
        return [*(ancestor.agent for ancestor in self.ancestors), self.agent]

    def child(
        self,
        *,
        run_id: str,
        agent: str,
        goal: str,
        left: Budget,
        step_id: str = "",
        scope: Iterable[str] | None = None,
        deadline: float | None = None,
        now: float | None = None,
    ) -> CascadeContext:
        """Return the context of a run that this one hands `goal` to.

        Args:
            left: What it may use: what is left here, or a part of that. More than this run's own budget is cut to it.
            step_id: The step by which the goal is handed on.
            scope: What it may do; what this run may not do is left out. As much as this run when None.
            deadline: Seconds since the epoch; a later one than this run's is cut to it.
            now: Seconds since the epoch; the present when None.

        Raises:
            DelegationCycle: the same agent is at work on the same goal above, or is this run itself.
            DelegationTooDeep: too many runs stand above already.
            DeadlinePassed: the cascade's time is over.
            BudgetExceeded: too little is left to begin with.
        """
        wanted = normalise_goal(goal)
        lineage = [*self.names, agent]
        line = " → ".join(f"@{name}" for name in lineage)
        itself = Ancestor(run_id=self.run_id, agent=self.agent, goal=self.goal)
        if any(above.agent == agent and above.goal == wanted for above in (*self.ancestors, itself)):
            raise DelegationCycle(f"@{agent} is at work on this goal already: {line}.", lineage=lineage)
        if self.depth >= self.max_depth:
            message = f"Goals are handed on {self.max_depth} times at most: {line}."
            raise DelegationTooDeep(message, lineage=lineage)
        ends_at = _least(self.deadline, deadline)
        if ends_at is not None and ends_at <= (time.time() if now is None else now):
            raise DeadlinePassed(f"The time of {line} is over.", lineage=lineage)
        return CascadeContext(
            workspace_id=self.workspace_id,
            run_id=run_id,
            agent=agent,
            goal=wanted,
            ancestors=(*self.ancestors, itself),
            parent_step=step_id,
            budget=_worth_beginning(smaller(self.budget, left), line),
            deadline=ends_at,
            scope=self.scope if scope is None else self.scope & frozenset(scope),
            max_depth=self.max_depth,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the context as a JSON-safe dict, with the ids of root and parent for those who only look."""
        return asdict(self) | {
            "root_run_id": self.root_run_id,
            "parent_run_id": self.parent_run_id,
            "ancestors": [asdict(ancestor) for ancestor in self.ancestors],
            "scope": sorted(self.scope),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote.

        Raises:
            ConfigError: it is something else.
        """
        try:
            known = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
            return cls(
                **{
                    **known,
                    "ancestors": tuple(Ancestor(**ancestor) for ancestor in data["ancestors"]),
                    "budget": Budget(**data["budget"]),
                    "scope": frozenset(data["scope"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise ConfigError(f"the lineage cannot be read: {error}") from error


def normalise_goal(goal: str) -> str:
    """Return the goal as cycles are found by: without case, punctuation and doubled spaces; digits stay."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", goal).casefold())
    return " ".join("".join(" " if unicodedata.category(c).startswith("P") else c for c in plain).split())


def _worth_beginning(budget: Budget, line: str) -> Budget:
    if budget.tokens is not None and budget.tokens < MIN_TOKENS:
        raise BudgetExceeded(f"Too few tokens are left for {line}: {budget.tokens:,}.", limit="tokens")
    if budget.seconds < MIN_SECONDS:
        raise BudgetExceeded(f"Too little time is left for {line}: {budget.seconds} s.", limit="seconds")
    if budget.cost_usd is not None and budget.cost_usd <= 0:
        raise BudgetExceeded(f"No money is left for {line}.", limit="cost")
    return budget


def _least(one: N | None, other: N | None) -> N | None:
    given = [limit for limit in (one, other) if limit is not None]
    return min(given) if given else None
