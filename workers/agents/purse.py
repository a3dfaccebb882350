"""What a workspace and the person who called may still spend, kept in Redis for all workers and seeded from the rows.

Before each call its worst case is reserved against every limit in one step, so that calls that run side by side cannot overspend
together. Afterwards what it really cost takes the place of that. A Redis that forgot everything is seeded again by the web app.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from workers.errors import BudgetExceeded, BudgetUnknown
from workers.queue import Job

if TYPE_CHECKING:
    from redis.asyncio import Redis

LEASE_S: Final = 60.0
"""For how long what a killed worker had reserved stays reserved."""
SEED_TRIES: Final = 3
AWAY_S: Final = 60.0
"""For how long a Redis that is away is waited for."""
POLL_S: Final = 0.5
MICRO: Final = 1_000_000
_SCRIPT: Final = Path(__file__).with_name("purse.lua")
_AWAY: Final = (RedisError, OSError, TimeoutError)
_PERIODS: Final = ("day", "month")
_NAMES: Final = {"day": "today", "month": "this month"}


def marker_key(workspace_id: int) -> str:
    """Return the key that is there while the workspace has limits."""
    return f"pyagent:spend:{workspace_id}:limited"


def calls_key(workspace_id: int) -> str:
    """Return the hash of what calls at work may still cost."""
    return f"pyagent:spend:{workspace_id}:calls"


def scope_key(workspace_id: int, period: str, at: datetime, *, person_id: int | None = None) -> str:
    """Return the hash of what was spent in the day or month of `at`, by all or by one person."""
    whose = "all" if person_id is None else f"person:{person_id}"
    day = at.strftime("%Y-%m-%d" if period == "day" else "%Y-%m")
    return f"pyagent:spend:{workspace_id}:{whose}:{period}:{day}"


@dataclass(slots=True)
class Reservation:
    """The worst case of one call; set what it really cost before its block ends. It stays 0 for one that never began."""

    tokens: int
    cost_usd: float | None
    """None for an unknown price."""
    used_tokens: int = 0
    used_usd: float | None = 0.0


class Purse:
    """The limits that bind one run.

    Args:
        seed: Asks the web app to write what the rows say into Redis.
    """

    def __init__(
        self,
        client: Redis,
        job: Job,
        *,
        seed: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._script = client.register_script(_SCRIPT.read_text())
        self._job, self._seed, self._clock = job, seed, clock
        self._numbers = count()
        person_id = job.spend.get("person_id")
        self._person_id: int | None = int(person_id) if person_id is not None else None

    def _scopes(self) -> list[tuple[str, str]]:
        """Return the scopes of this moment: key, and how people name it."""
        now, workspace_id = self._clock(), self._job.workspace_id
        found: list[tuple[str, str]] = []
        whose: list[tuple[int | None, str]] = [(None, "the workspace’s budget")]
        if self._person_id is not None:
            whose.append((self._person_id, "the caller’s own budget"))
        for person_id, name in whose:
            for period in _PERIODS:
                key = scope_key(workspace_id, period, now, person_id=person_id)
                found.append((key, f"{name} for {_NAMES[period]}"))
        return found

    async def _do(self, scopes: list[tuple[str, str]], *args: Any) -> list[Any]:
        keys = [marker_key(self._job.workspace_id), calls_key(self._job.workspace_id)]
        found: list[Any] = await self._script(keys=[*keys, *(key for key, _ in scopes)], args=list(args))
        return [item.decode() if isinstance(item, bytes) else item for item in found]

    @asynccontextmanager
    async def reserve(self, worst: Reservation, *, model: str) -> AsyncIterator[Reservation]:
        """Hold the worst case of a call while the block asks for it.

        Raises:
            BudgetExceeded: it could pass a limit of the workspace or the person; `limit` names which one.
            BudgetUnknown: nobody can say what is left.
        """
        call = f"{self._job.run_id}:{self._job.fence}:{next(self._numbers)}"
        scopes = self._scopes()
        if not await self._hold(call, worst, scopes, model):
            yield worst
            return
        renewing = asyncio.create_task(self._renew(call, scopes))
        try:
            yield worst
        finally:
            renewing.cancel()
            used_usd = worst.cost_usd if worst.used_usd is None else worst.used_usd
            await self._quietly(scopes, "settle", call, _micro(used_usd), worst.used_tokens)

    async def _hold(self, call: str, worst: Reservation, scopes: list[tuple[str, str]], model: str) -> bool:
        """Return whether there is anything to settle; False where there are no limits."""
        person = "" if self._person_id is None else str(self._person_id)
        is_limited = int(bool(self._job.spend.get("is_limited")))
        amounts = (_micro(worst.cost_usd), worst.tokens)
        for _ in range(SEED_TRIES):
            answer = await self._ask(
                scopes, "reserve", call, *amounts, person, round(LEASE_S * 1000), is_limited
            )
            if answer[0] in ("held", "free"):
                return bool(answer[0] == "held")
            if answer[0] != "seed":
                raise _exceeded(answer, name=scopes[answer[1]][1], worst=worst, model=model)
            await self._seed()
        raise BudgetUnknown("Nobody can say what is left of the budget.")

    async def _ask(self, scopes: list[tuple[str, str]], *args: Any) -> list[Any]:
        """Return what Redis says, waiting for one that is started again."""
        try:
            async with asyncio.timeout(AWAY_S):
                while True:
                    try:
                        return await self._do(scopes, *args)
                    except _AWAY:
                        await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise BudgetUnknown("Redis cannot be asked what is left of the budget.") from None

    async def _renew(self, call: str, scopes: list[tuple[str, str]]) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            await self._quietly(scopes, "renew", call, round(LEASE_S * 1000))

    async def _quietly(self, scopes: list[tuple[str, str]], *args: Any) -> None:
        try:
            await self._do(scopes, *args)
        except _AWAY:
            pass  # what is not settled is forgotten, and the rows know it


def _micro(cost_usd: float | None) -> int:
    return -1 if cost_usd is None else math.ceil(cost_usd * MICRO)


def _exceeded(answer: list[Any], *, name: str, worst: Reservation, model: str) -> BudgetExceeded:
    kind = answer[0]
    if kind == "unpriced":
        return BudgetExceeded(
            f"Budget exceeded: {name} is in dollars and nobody knows the price of {model}. "
            "Set it in the price table, 0 where it costs nothing.",
            limit="price",
        )
    limit, left = float(answer[2]), max(0.0, float(answer[3]))
    if kind == "usd":
        needed = worst.cost_usd or 0.0
        text = f"{name} of ${limit / MICRO:,.2f} has ${left / MICRO:,.4f} left, and this call may cost ${needed:,.4f}."
    else:
        text = f"{name} of {limit:,.0f} tokens has {left:,.0f} left, and this call may use {worst.tokens:,}."
    return BudgetExceeded(f"Budget exceeded: {text}", limit=name)
