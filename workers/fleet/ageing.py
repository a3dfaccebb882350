"""Waiting makes a job more urgent, so that the lowest priority is served too."""

from __future__ import annotations

from typing import Final

from workers.fleet.entries import Request

AGE_STEP_S: Final = 600.0
"""Ten minutes of waiting are worth one level: Low ranks with Critical after half an hour."""


def effective_level(request: Request, *, now: float, step_s: float = AGE_STEP_S) -> int:
    """Return the level at which the job stands now: one better for each whole `step_s` that it has waited, at best 0."""
    return max(0, request.level - int(request.waited(now) // step_s))


def bound_s(level: int, *, step_s: float = AGE_STEP_S) -> float:
    """Return after how many seconds of waiting a job of this level is served like a Critical one at the latest."""
    return level * step_s
