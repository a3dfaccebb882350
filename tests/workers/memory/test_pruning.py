"""Weights: one pair of bounds, idempotent decay, and outcomes that count whatever order they come in."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.memory.pruning import (
    ARCHIVE_BELOW,
    HALF_LIFE_CYCLES,
    IDLE_CYCLES,
    MAX_WEIGHT,
    MIN_WEIGHT,
    Standing,
    bounded,
    decay,
    is_faded,
    merit,
    weight_of,
)

counts = st.integers(0, 10**9)
standings = st.builds(Standing, successes=counts, failures=counts, last_cycle=counts, is_pinned=st.booleans())


@given(standings, counts)
def test_keeps_every_weight_within_the_one_pair_of_bounds(standing: Standing, cycle: int) -> None:
    assert MIN_WEIGHT <= merit(standing) <= MAX_WEIGHT
    assert MIN_WEIGHT <= weight_of(standing, cycle=cycle) <= MAX_WEIGHT
    assert 0.0 <= decay(cycle) <= 1.0


@given(st.floats(allow_nan=False))
def test_bounds_whatever_it_is_handed(weight: float) -> None:
    assert MIN_WEIGHT <= bounded(weight) <= MAX_WEIGHT


@given(st.lists(st.sampled_from(["good", "bad", *range(5)])), st.randoms())
def test_counts_the_same_in_whatever_order_outcomes_and_uses_come(happened: list, random) -> None:
    def after(standing: Standing, what: str | int) -> Standing:
        if isinstance(what, int):
            return standing.used(what)
        return standing.credited() if what == "good" else standing.discredited()

    shuffled = random.sample(happened, len(happened))
    one, other = reduce(after, happened, Standing()), reduce(after, shuffled, Standing())
    assert one == other
    assert (one.successes, one.failures) == (happened.count("good"), happened.count("bad"))


@given(standings, counts)
def test_asking_twice_in_one_cycle_halves_nothing_twice(standing: Standing, cycle: int) -> None:
    assert weight_of(standing, cycle=cycle) == weight_of(standing, cycle=cycle)
    assert standing.used(cycle).used(cycle) == standing.used(cycle)


@given(standings, counts)
def test_never_gains_by_lying_idle(standing: Standing, cycle: int) -> None:
    assert weight_of(standing, cycle=cycle + 1) <= weight_of(standing, cycle=cycle)


@given(standings)
def test_a_good_outcome_never_costs_and_a_bad_one_never_pays(standing: Standing) -> None:
    assert merit(standing.credited()) >= merit(standing) >= merit(standing.discredited())


def test_loses_nothing_for_fifty_idle_cycles_then_half_then_by_its_half_life() -> None:
    assert decay(0) == decay(IDLE_CYCLES) == 1.0
    assert decay(IDLE_CYCLES + 1) == 0.5
    assert decay(IDLE_CYCLES + 1 + HALF_LIFE_CYCLES) == pytest.approx(0.25)
    assert decay(IDLE_CYCLES + 1 + 2 * HALF_LIFE_CYCLES) == pytest.approx(0.125)


def test_a_pinned_thing_never_decays_nor_fades() -> None:
    pinned = Standing(successes=3, is_pinned=True)
    assert weight_of(pinned, cycle=10**6) == merit(pinned)
    assert not is_faded(Standing(failures=1000, is_pinned=True), cycle=10**6)


def test_fades_when_it_is_light_and_idle_and_not_before() -> None:
    fresh = Standing()
    first = next(cycle for cycle in range(1000) if is_faded(fresh, cycle=cycle))
    assert weight_of(fresh, cycle=first) < ARCHIVE_BELOW <= weight_of(fresh, cycle=first - 1)
    useless = Standing(failures=50)
    assert not is_faded(useless, cycle=IDLE_CYCLES)
    assert is_faded(useless, cycle=IDLE_CYCLES + 1)
    assert not is_faded(useless.used(IDLE_CYCLES + 1), cycle=IDLE_CYCLES + 1)
