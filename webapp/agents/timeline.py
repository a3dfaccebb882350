"""A run over time: which step ran when, drawn as bars below each other by depth, and what each kind of step cost.

Computed here, so that the page needs no script and no inline style. A bar narrower than a person can see is drawn at the least
width; steps of one depth that would lie on each other share a bar that says how many they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import log10
from typing import Final
from uuid import UUID

from webapp.agents.models import Run, Step
from webapp.agents.plain import one_line

WIDTH: Final = 1000.0
LANE_HEIGHT, BAR_HEIGHT, MIN_WIDTH = 22.0, 16.0, 3.0
MAX_DEPTH: Final = 8
MAX_STEPS: Final = 5_000
TICKS: Final = 6


@dataclass(slots=True)
class Bar:
    """One step, or several that are too short to be told apart; places in units of a drawing `WIDTH` wide."""

    x: float
    y: float
    width: float
    kind: str
    status: str
    title: str
    step_id: str
    count: int = 1

    @property
    def words(self) -> str:
        return self.title if self.count == 1 else f"{self.count} steps, from “{self.title}” on"


@dataclass(slots=True)
class Lane:
    """One run of those drawn: an agent with its steps."""

    run_id: UUID
    agent: str
    y: float
    height: float
    bars: list[Bar] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cost:
    """What the steps of one kind took together."""

    kind: str
    steps: int
    duration_ms: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    share: float
    """Of the time of all kinds, 0–1."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The drawing: lanes, moments along its edge, and its size."""

    lanes: list[Lane]
    ticks: list[tuple[float, str]]
    height: float
    is_cut: bool


def steps_of(runs: Sequence[Run]) -> dict[UUID, list[Step]]:
    """Return the steps of these runs by run, in the order in which they began, at most `MAX_STEPS` in all."""
    rows = Step.objects.filter(run__in=[run.pk for run in runs]).defer("detail").order_by("seq")[:MAX_STEPS]
    found: dict[UUID, list[Step]] = {run.pk: [] for run in runs}
    for step in rows:
        found[step.run_id].append(step)
    return found


def draw(runs: Sequence[Run], steps: dict[UUID, list[Step]], *, now: datetime) -> Timeline:
    """Return the drawing of these runs, a lane each, on one scale of time."""
    every = [step for one in steps.values() for step in one]
    if not every:
        return Timeline([], [], 0.0, is_cut=False)
    begin = min(step.started_at for step in every)
    end = max(_end_of(step, now) for step in every)
    total_s = max((end - begin).total_seconds(), 0.001)
    lanes, y = [], 0.0
    for run in runs:
        if not steps[run.pk]:
            continue
        lane = _lane(run, steps[run.pk], begin, total_s, y, now)
        lanes.append(lane)
        y += lane.height
    return Timeline(lanes, _ticks(total_s), y, is_cut=len(every) >= MAX_STEPS)


def _end_of(step: Step, now: datetime) -> datetime:
    if step.duration_ms is None:
        return max(now, step.started_at) if step.status == "running" else step.started_at
    return datetime.fromtimestamp(
        step.started_at.timestamp() + step.duration_ms / 1000, tz=step.started_at.tzinfo
    )


def _lane(run: Run, steps: Sequence[Step], begin: datetime, total_s: float, y: float, now: datetime) -> Lane:
    depths: dict[str, int] = {}
    last: dict[int, Bar] = {}
    lane = Lane(run.pk, run.agent, y, 0.0)
    top = y + LANE_HEIGHT  # the lane's name stands above its bars
    for step in steps:
        depth = min(depths.get(step.parent_id, -1) + 1, MAX_DEPTH)
        depths[step.step_id] = depth
        x = (step.started_at - begin).total_seconds() / total_s * WIDTH
        width = (_end_of(step, now) - step.started_at).total_seconds() / total_s * WIDTH
        before = last.get(depth)
        if before is not None and x < before.x + before.width and max(width, before.width) <= MIN_WIDTH:
            before.count += 1
            before.status = _worse(before.status, step.status)
            continue
        bar = Bar(
            x=round(min(x, WIDTH - MIN_WIDTH), 2),
            y=top + depth * LANE_HEIGHT,
            width=round(max(width, MIN_WIDTH), 2),
            kind=step.kind,
            status=step.status,
            title=one_line(step.title, limit=120),
            step_id=step.step_id,
        )
        lane.bars.append(bar)
        last[depth] = bar
    lane.height = (max(depths.values()) + 2) * LANE_HEIGHT
    return lane


def _worse(one: str, other: str) -> str:
    order = ("ok", "cancelled", "running", "failed")
    return max(one, other, key=lambda status: order.index(status) if status in order else 0)


def _ticks(total_s: float) -> list[tuple[float, str]]:
    """Return moments along the time axis, at round numbers of seconds."""
    step = (
        10.0 ** int(log10(total_s / TICKS))
        if total_s / TICKS >= 1
        else 10.0 ** (int(log10(total_s / TICKS)) - 1)
    )
    size = next(factor * step for factor in (1, 2, 5, 10, 20, 50, 100) if total_s / (factor * step) <= TICKS)
    count = int(total_s / size)
    return [(round(at * size / total_s * WIDTH, 2), _seconds(at * size)) for at in range(count + 1)]


def _seconds(value: float) -> str:
    if value >= 120:
        return f"{value / 60:g} min"
    return f"{value:g} s"


def costs(steps: Iterable[Step]) -> list[Cost]:
    """Return what each kind of step took, the longest first. A step's time includes that of the steps below it."""
    rows: dict[str, list[Step]] = {}
    for step in steps:
        rows.setdefault(step.kind, []).append(step)
    times = {kind: sum(step.duration_ms or 0 for step in found) for kind, found in rows.items()}
    total = max(1, sum(times.values()))
    found = [
        Cost(
            kind=kind,
            steps=len(ones),
            duration_ms=times[kind],
            input_tokens=sum(step.input_tokens for step in ones),
            output_tokens=sum(step.output_tokens for step in ones),
            cost_usd=_sum_of(ones),
            share=times[kind] / total,
        )
        for kind, ones in rows.items()
    ]
    return sorted(found, key=lambda cost: -cost.duration_ms)


def _sum_of(steps: Sequence[Step]) -> float | None:
    """Return what these steps cost; None when the price of any that used tokens is unknown."""
    used = [step for step in steps if step.input_tokens + step.output_tokens or step.cost_usd is not None]
    known = [step.cost_usd for step in used if step.cost_usd is not None]
    return None if len(known) < len(used) else sum(known)
