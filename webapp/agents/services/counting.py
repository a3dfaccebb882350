"""What a run has used, and what of that is in no finished step, since the call was cut off and is made again.

A step that begins again takes the place of the one that was cut off; what that one had used is kept in its detail (`cut_off`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from webapp.agents import spending
from webapp.agents.models import Run, Step

MAX_COUNT: Final = 2_147_483_647


def bounded(value: Any) -> int:
    """Return a count as a row can hold it."""
    return min(max(0, int(value or 0)), MAX_COUNT)


def count_step(run: Run, step: Step) -> set[str]:
    """Add what a step used that has ended to its run and its day, once; return the fields of the run to save."""
    run.input_tokens = bounded(run.input_tokens + step.input_tokens)
    run.output_tokens = bounded(run.output_tokens + step.output_tokens)
    run.cost_usd = _cost_after(run.cost_usd, step)
    spending.note_step(run, step)
    return {"input_tokens", "output_tokens", "cost_usd"}


def _cost_after(so_far: float | None, step: Step) -> float | None:
    """Return the run's cost with this step; one unknown price makes the whole unknown, for good.

    A call that failed and used nothing costs nothing, whatever its model: one that broke off comes with what it used.
    """
    is_answered = step.kind == "model_call" and step.status == "ok"
    is_priced = is_answered or step.input_tokens + step.output_tokens > 0 or step.cost_usd is not None
    if not is_priced:
        return so_far
    if so_far is None or step.cost_usd is None:
        return None
    return so_far + step.cost_usd


def kept(step: Step) -> dict[str, Any]:
    """Return what the detail of a step that begins again keeps: what it had used each time that it was cut off."""
    used = _add(step.detail.get("cut_off"), _used_in_vain(step))
    return {"cut_off": used} if used else {}


def cut_off(step: Step, *, at: datetime) -> None:
    """End an open step that is to be begun again; how long it took is part of what it used."""
    lasted_ms = int((at - step.started_at).total_seconds() * 1000)
    step.status, step.duration_ms = "cancelled", bounded(lasted_ms)


def cut_off_of(run: Run) -> dict[str, Any]:
    """Return what steps of the run used that were cut off, as `Job.cut_off` has it; empty when there is nothing."""
    used: dict[str, Any] | None = None
    for step in run.steps.exclude(kind="delegation").exclude(detail__has_key="taken_over_from"):
        used = _add(_add(used, step.detail.get("cut_off")), _used_in_vain(step))
    return used or {}


def _used_in_vain(step: Step) -> dict[str, Any] | None:
    """Return what a step used that was cut off and is made again; what a person stopped stays in the history."""
    is_cut_off = step.status == "cancelled" and "stopped_by" not in step.detail
    tokens, lasted_ms = step.input_tokens + step.output_tokens, step.duration_ms or 0
    if not is_cut_off or not (tokens or lasted_ms):
        return None
    return {
        "input_tokens": step.input_tokens,
        "output_tokens": step.output_tokens,
        "cost_usd": step.cost_usd if tokens else 0.0,
        "duration_ms": lasted_ms,
    }


def _add(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the sum; one unknown price makes its cost unknown."""
    if not one or not other:
        return one or other
    costs = one["cost_usd"], other["cost_usd"]
    return {
        "input_tokens": one["input_tokens"] + other["input_tokens"],
        "output_tokens": one["output_tokens"] + other["output_tokens"],
        "cost_usd": None if None in costs else sum(costs),
        "duration_ms": one.get("duration_ms", 0) + other.get("duration_ms", 0),
    }
