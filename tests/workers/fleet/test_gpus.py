"""Memory of GPUs is promised to admitted jobs and never twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.fleet.conftest import Fleet, crew, gpu
from workers.fleet.capacity import Capacity
from workers.fleet.core import LOST_AFTER_S


def need(mb: int) -> dict[str, object]:
    return {"needs_gpu": True, "gpu_memory_mb": mb}


def test_promises_memory_before_it_is_taken_and_gives_it_back_at_the_end() -> None:
    fleet = Fleet(slots=4, devices=[gpu()])
    fleet.submit("a", **need(50_000))
    fleet.submit("b", **need(50_000))
    fleet.submit("small", **need(20_000))
    fleet.decide()
    assert fleet.running == {"a", "small"}
    assert fleet.core.reasons["b"] == "no GPU has 50,000 MB to give"
    fleet.end("a")
    fleet.decide()
    assert fleet.running == {"b", "small"}


def test_a_strangers_memory_is_not_given_away_and_a_runs_own_is_not_counted_twice() -> None:
    fleet = Fleet(slots=4, devices=[gpu(free_mb=30_000)])
    fleet.submit("big", **need(40_000))
    fleet.submit("fits", **need(20_000))
    fleet.decide()
    assert fleet.running == {"fits"}
    # It has filled its 20,000 MB now: 10,000 are free, and none of them is promised.
    fleet.set([crew(4)], [gpu(free_mb=10_000, own_mb=20_000)])
    fleet.submit("second", **need(10_000))
    fleet.decide()
    assert fleet.running == {"fits", "second"}


def test_memory_of_a_run_whose_worker_was_killed_is_free_again() -> None:
    fleet = Fleet(slots=2, devices=[gpu()])
    fleet.submit("a", **need(80_000))
    fleet.decide()
    fleet.submit("b", **need(80_000))
    fleet.decide(after_s=LOST_AFTER_S)
    assert fleet.running == {"b"}


def test_a_job_that_does_not_say_how_much_gets_a_device_for_itself() -> None:
    fleet = Fleet(slots=4, devices=[gpu(0), gpu(1)])
    for name, memory_mb in (("some", 1_000), ("whole", 0), ("another", 0)):
        fleet.submit(name, **need(memory_mb))
        fleet.now += 0.1
    fleet.decide()
    placed = {run_id: run.request.gpu_index for run_id, run in fleet.core.running.items()}
    assert placed == {"some": 0, "whole": 1}
    assert fleet.core.running["whole"].request.gpu_memory_mb == 80_000


def test_a_job_is_bound_to_the_machine_of_its_gpu() -> None:
    crews = [crew(1, host="one"), crew(1, host="two")]
    fleet = Fleet(crews=crews, devices=[gpu(host="one", total_mb=8_000), gpu(host="two", total_mb=24_000)])
    fleet.submit("big", **need(20_000))
    fleet.submit("small", **need(8_000))
    fleet.decide()
    assert {run_id: run.host for run_id, run in fleet.core.running.items()} == {"big": "two", "small": "one"}
    fleet.submit("plain")
    fleet.decide()
    assert fleet.core.reasons == {"plain": "all slots are taken"}


def test_says_that_there_is_no_gpu_or_none_that_is_large_enough() -> None:
    fleet = Fleet(slots=2)
    fleet.submit("a", **need(1_000))
    fleet.decide()
    assert fleet.core.reasons == {"a": "there is no GPU in this fleet"}
    fleet.set([crew(2)], [gpu(total_mb=500)])
    fleet.decide()
    assert fleet.core.reasons == {"a": "no GPU has 1,000 MB, even when nothing else runs"}


def test_the_next_gpu_is_kept_for_a_large_job_that_has_waited_long_enough() -> None:
    fleet = Fleet(slots=9, devices=[gpu()])
    fleet.submit("runs", "high", **need(10_000))
    fleet.decide()
    fleet.submit("large", "low", **need(80_000))
    fleet.now += 1801
    fleet.beat_all()
    fleet.submit("small", "low", **need(10_000))
    fleet.decide()
    assert fleet.running == {"runs"}
    assert "kept" in fleet.core.reasons["small"]
    fleet.end("runs")
    fleet.decide()
    assert fleet.running == {"large"}


@settings(max_examples=150, deadline=None)
@given(
    totals=st.lists(st.integers(1_000, 80_000), min_size=1, max_size=3),
    foreign=st.floats(0, 1),
    asks=st.lists(
        st.tuples(st.integers(0, 90_000), st.sampled_from(["low", "standard", "high", "critical"])),
        max_size=14,
    ),
    ends=st.lists(st.integers(0, 13), max_size=10),
    filled=st.floats(0, 1),
)
def test_never_promises_more_than_a_device_has(
    totals: list[int], foreign: float, asks: list[tuple[int, str]], ends: list[int], filled: float
) -> None:
    taken = [int(total * foreign) for total in totals]

    def devices(own: list[int]) -> list[object]:
        return [
            gpu(i, total_mb=total, free_mb=total - taken[i] - own[i], own_mb=own[i])
            for i, total in enumerate(totals)
        ]

    fleet = Fleet(slots=20, devices=devices([0] * len(totals)))  # type: ignore[arg-type]
    for number, (memory_mb, priority) in enumerate(asks):
        fleet.submit(f"r{number}", priority, **need(memory_mb))
        fleet.decide(after_s=3)
        fleet.beat_all()
        if number < len(ends) and f"r{ends[number]}" in fleet.running:
            fleet.end(f"r{ends[number]}")
        held = [0] * len(totals)
        for run in fleet.core.running.values():
            held[run.request.gpu_index] += run.request.gpu_memory_mb
        for index, total in enumerate(totals):
            assert held[index] + taken[index] <= total
        fleet.set([crew(20)], devices([int(mb * filled) for mb in held]))  # type: ignore[arg-type]


def test_reserved_memory_is_told() -> None:
    fleet = Fleet(slots=2, devices=[gpu()])
    fleet.submit("a", **need(5_000))
    fleet.decide()
    capacity = Capacity(fleet.core.resources, fleet.core.running.values())
    assert capacity.reserved_mb(gpu()) == 5_000
    assert capacity.available_mb(gpu()) == 75_000
