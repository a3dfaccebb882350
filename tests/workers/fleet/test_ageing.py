"""Low is never starved: the bound that FleetCore states, held against any mix of workspaces, weights and arrivals."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.fleet.conftest import Fleet, request
from workers.fleet.ageing import AGE_STEP_S, bound_s, effective_level


def test_ranks_one_level_better_for_each_ten_minutes() -> None:
    low = request("a", "low", queued_at=0.0)
    assert [effective_level(low, now=minutes * 60) for minutes in (0, 9, 10, 20, 30, 300)] == [
        3,
        3,
        2,
        1,
        0,
        0,
    ]
    assert [bound_s(level) for level in range(4)] == [0, 600, 1200, 1800]


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.sampled_from([0.25, 0.5, 1.0, 2.0, 5.0]), min_size=1, max_size=4),
    slots=st.integers(1, 4),
    more=st.integers(0, 3),
    ahead=st.integers(0, 3),
    length_s=st.integers(1, 60),
)
def test_is_admitted_within_the_stated_number_of_turns_under_a_storm_of_critical_jobs(
    weights: list[float], slots: int, more: int, ahead: int, length_s: int
) -> None:
    """Critical jobs of every workspace arrive faster than they can be served, for ever."""
    fleet = Fleet(slots=slots)
    fleet.core.resources.shares = dict(enumerate(weights))
    number = 0

    def storm() -> None:
        nonlocal number
        for _ in range(slots + more):
            for workspace in range(len(weights)):
                number += 1
                fleet.submit(f"c{number:06}", "critical", workspace_id=workspace)

    storm()
    fleet.decide()
    for one in range(ahead):
        fleet.submit(f"ahead-{one}", "low", workspace_id=0)
    fleet.now += 0.5
    fleet.submit("low", "low", workspace_id=0)
    fleet.now += bound_s(3) - 1
    fleet.beat_all()
    storm()
    fleet.decide()
    assert "low" not in fleet.admitted
    fleet.now += 1.0
    older = sum(
        1
        for one in fleet.core.waiting.values()
        if one.workspace_id == 0
        and one.run_id != "low"
        and one.waited(fleet.now) >= fleet.core.waiting["low"].waited(fleet.now)
    )
    most = (older + 1) * sum(1 + math.ceil(weight / weights[0]) for weight in weights)
    fleet.admitted.clear()
    while "low" not in fleet.admitted:
        assert len(fleet.admitted) <= most + slots
        fleet.beat_all()
        for run_id in sorted(fleet.running):
            fleet.end(run_id)
        storm()
        fleet.decide(after_s=length_s)
    assert fleet.admitted.index("low") <= most
    assert fleet.suspended == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5000)), min_size=1, max_size=30), st.integers(1, 3)
)
def test_every_job_is_served_once_and_none_is_forgotten(jobs: list[tuple[int, int]], slots: int) -> None:
    fleet = Fleet(slots=slots)
    levels = ("critical", "high", "standard", "low")
    for number, (level, wait_s) in enumerate(jobs):
        fleet.submit(f"r{number}", levels[level], workspace_id=number % 3)
        fleet.now += wait_s
        fleet.beat_all()
        fleet.decide()
        for run_id in set(fleet.suspended) & fleet.running:
            if fleet.core.running[run_id].state == "suspending":
                fleet.let_go(run_id)
    for _ in range(200):
        for run_id in sorted(fleet.running):
            fleet.end(run_id)
        fleet.decide(after_s=1)
        if not fleet.running and not fleet.core.waiting:
            break
    assert set(Counter(fleet.admitted)) == {f"r{number}" for number in range(len(jobs))}
    assert fleet.running == set() and fleet.core.waiting == {}


def test_the_step_is_ten_minutes() -> None:
    assert AGE_STEP_S == 600
