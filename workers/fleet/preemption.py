"""Who has to make room for something more urgent.

Only a run of strictly lower rank makes room, so that equals never push each other out in turns. Rank is the level that a
run had reached when it was admitted: a Low run that has waited until it ranked with Critical keeps what it waited for. A run
that has only just begun is left alone for `MIN_RUN_S`, and one that was suspended before for longer each time, so that it
gets something done between two suspensions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from workers.fleet.capacity import Capacity
from workers.fleet.entries import Request, Running

MIN_RUN_S: Final = 1.0
AGAIN_RUN_S: Final = 10.0
"""What a run is left after its first preemption; doubled by each further one, up to `MOST_RUN_S`."""
MOST_RUN_S: Final = 120.0
MAX_VICTIMS: Final = 8
"""A job that needs the room of more runs than these waits until some of them end."""


def guarded_s(preemptions: int) -> float:
    """Return for how many seconds a run that was preempted so often is left alone after its admission."""
    return MIN_RUN_S if preemptions == 0 else min(AGAIN_RUN_S * 2.0 ** (preemptions - 1), MOST_RUN_S)


def may_be_preempted(run: Running, *, level: int, now: float) -> bool:
    """Return whether a job of `level` may take this run's place now."""
    return (
        run.request.is_preemptible
        and run.state == "running"
        and run.rank > level
        and now - run.admitted_at >= guarded_s(run.request.preemptions)
    )


def choose_victims(
    request: Request, running: Iterable[Running], capacity: Capacity, *, now: float
) -> Sequence[Running]:
    """Return the runs that have to suspend so that `request` fits; none when no choice of them is enough.

    The lowest rank goes first, then who was preempted least often, then who began last and loses least. One run that makes
    all the room is preferred to several.
    """
    candidates = [run for run in running if may_be_preempted(run, level=request.level, now=now)]
    candidates.sort(
        key=lambda run: (-run.rank, run.request.preemptions, -run.admitted_at, run.request.run_id)
    )
    for run in candidates:
        if _fits_without([run], request, capacity):
            return [run]
    chosen: list[Running] = []
    for run in candidates[:MAX_VICTIMS]:
        chosen.append(run)
        if _fits_without(chosen, request, capacity):
            return _needed(chosen, request, capacity)
    return []


def _needed(chosen: list[Running], request: Request, capacity: Capacity) -> list[Running]:
    """Leave out whom the others make unnecessary, the highest rank first."""
    for run in reversed(list(chosen)):
        others = [other for other in chosen if other is not run]
        if _fits_without(others, request, capacity):
            chosen = others
    return chosen


def _fits_without(runs: Iterable[Running], request: Request, capacity: Capacity) -> bool:
    attempt = capacity.copy()
    for run in runs:
        attempt.give_back(run.request, tokens_per_s=run.tokens_per_s)
    return not attempt.blocked_by(request)
