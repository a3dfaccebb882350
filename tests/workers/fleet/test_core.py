"""Order, fair shares, preemption and losses, as decided without Redis."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.workers.fleet.conftest import Fleet, crew, released
from workers.fleet.core import LIMIT_PAUSE_S, LOST_AFTER_S, SEND_AGAIN_S
from workers.fleet.entries import SendAgain
from workers.fleet.preemption import guarded_s


def test_serves_critical_before_high_before_standard_before_low() -> None:
    """Trap: levels count downwards, 0 is the most urgent, and nowhere is it read the other way round."""
    fleet = Fleet(slots=1)
    for name in ("low", "standard", "high", "critical"):
        fleet.submit(name, name)
        fleet.now += 0.001
    while fleet.core.waiting:
        fleet.decide()
        fleet.end(fleet.admitted[-1])
    assert fleet.admitted == ["critical", "high", "standard", "low"]


def test_serves_equals_in_the_order_in_which_they_came() -> None:
    fleet = Fleet(slots=1)
    for name in ("b", "a", "c"):
        fleet.submit(name)
        fleet.now += 1
    for _ in range(3):
        fleet.decide()
        fleet.end(fleet.admitted[-1])
    assert fleet.admitted == ["b", "a", "c"]


def test_admits_no_more_than_there_are_slots(fleet: Fleet) -> None:
    for number in range(5):
        fleet.submit(f"r{number}")
    fleet.decide()
    assert len(fleet.running) == 2
    assert set(fleet.core.reasons.values()) == {"all slots are taken"}
    fleet.end("r0")
    fleet.decide()
    assert fleet.running == {"r1", "r2"}


def test_says_that_nobody_works() -> None:
    fleet = Fleet(crews=[crew(2, "gpu")])
    fleet.submit("a")
    fleet.decide()
    assert fleet.core.reasons == {"a": "no worker serves the queue cpu"}


# --- the waiting room ------------------------------------------------------------------------------------------------


def test_the_same_ring_again_changes_nothing_and_a_later_attempt_takes_the_place() -> None:
    fleet = Fleet(slots=1)
    fleet.submit("first")
    fleet.now += 60
    fleet.submit("second")
    fleet.now += 60
    fleet.submit("first")
    assert fleet.core.waiting["first"].queued_at == fleet.now - 120
    fleet.submit("first", fence=3)
    fleet.submit("first", fence=2)
    fleet.decide()
    assert fleet.admitted == ["first"]
    assert fleet.core.running["first"].request.fence == 3


def test_what_was_admitted_is_not_admitted_again(fleet: Fleet) -> None:
    fleet.submit("a")
    fleet.decide()
    fleet.submit("a")
    assert fleet.decide() == []
    assert fleet.core.waiting == {}


def test_a_withdrawn_job_is_not_admitted(fleet: Fleet) -> None:
    fleet.submit("a")
    fleet.core.withdraw("a")
    assert fleet.decide() == []


def test_another_priority_counts_at_once_for_who_waits_and_who_runs() -> None:
    fleet = Fleet(slots=1)
    fleet.submit("runs")
    fleet.decide()
    fleet.submit("waits")
    fleet.decide(after_s=5)
    assert fleet.suspended == []
    fleet.core.reprioritise("waits", 0)
    fleet.core.reprioritise("runs", 3)
    fleet.beat_all()
    fleet.decide()
    assert fleet.suspended == ["runs"]


# --- fair shares -----------------------------------------------------------------------------------------------------


def test_workspaces_take_turns_whatever_number_of_jobs_each_brought() -> None:
    fleet = Fleet(slots=1)
    for number in range(20):
        fleet.submit(f"many-{number:02}", workspace_id=1)
    fleet.now += 1
    for number in range(3):
        fleet.submit(f"few-{number}", workspace_id=2)
    for _ in range(6):
        fleet.decide()
        fleet.end(fleet.admitted[-1])
    assert [name.split("-")[0] for name in fleet.admitted] == ["many", "few"] * 3


def test_a_weight_of_three_gets_three_times_as_much() -> None:
    fleet = Fleet(slots=1)
    fleet.core.resources.shares = {1: 3.0}
    for number in range(60):
        fleet.submit(f"a{number}", workspace_id=1)
        fleet.submit(f"b{number}", workspace_id=2)
    for _ in range(40):
        fleet.decide()
        fleet.end(fleet.admitted[-1])
    assert sum(name.startswith("a") for name in fleet.admitted) == 30


def test_who_asked_for_nothing_has_saved_nothing_up() -> None:
    fleet = Fleet(slots=1)
    for number in range(40):
        fleet.submit(f"a{number:02}", workspace_id=1)
    for _ in range(20):
        fleet.decide()
        fleet.end(fleet.admitted[-1])
    for number in range(10):
        fleet.submit(f"b{number:02}", workspace_id=2)
    fleet.admitted.clear()
    for _ in range(8):
        fleet.decide()
        fleet.end(fleet.admitted[-1])
    assert sum(name.startswith("b") for name in fleet.admitted) == 4


# --- preemption ------------------------------------------------------------------------------------------------------


def full(*priorities: str) -> Fleet:
    """A fleet whose slots are taken by runs of these priorities for a while already."""
    fleet = Fleet(slots=len(priorities))
    for number, priority in enumerate(priorities):
        fleet.submit(f"{priority}-{number}", priority)
        fleet.decide(after_s=1)
    fleet.now += 5
    fleet.beat_all()
    return fleet


def test_suspends_the_lowest_run_for_a_critical_one_and_admits_it_once_that_has_let_go() -> None:
    fleet = full("high", "low", "standard")
    fleet.submit("urgent", "critical")
    fleet.decide()
    assert fleet.suspended == ["low-1"]
    assert "makes room" in fleet.core.reasons["urgent"]
    fleet.decide(after_s=0.5)
    assert fleet.suspended == ["low-1"], "one victim is enough, and it is asked once"
    fleet.let_go("low-1")
    fleet.decide()
    assert fleet.running == {"high-0", "standard-2", "urgent"}


def test_a_suspended_run_goes_on_by_itself() -> None:
    """Trap: what was suspended stayed suspended, since nobody called `resume`."""
    fleet = full("low")
    fleet.submit("urgent", "critical")
    fleet.decide()
    fleet.let_go("low-0")
    fleet.decide()
    fleet.end("urgent")
    fleet.decide()
    assert fleet.running == {"low-0"}
    assert fleet.core.running["low-0"].request.fence == 2


def test_every_run_can_be_preempted_however_the_leader_came_to_know_it() -> None:
    """Trap: tasks were registered without their agents, so that none could be suspended."""
    fleet = full("low")
    known = fleet.core.running.pop("low-0").request
    fleet.core.hear(known, worker="one:7", now=fleet.now)
    fleet.submit("urgent", "critical")
    fleet.decide(after_s=2)
    assert fleet.suspended == ["low-0"]


@pytest.mark.parametrize("priority", ["critical", "high", "standard", "low"])
def test_equals_never_push_each_other_out(priority: str) -> None:
    fleet = full(priority)
    fleet.submit("same", priority)
    fleet.decide(after_s=60)
    assert fleet.suspended == []


def test_a_run_that_has_just_begun_or_was_preempted_before_is_left_alone_for_a_while() -> None:
    fleet = full("low")
    for number in (1, 2):
        fleet.submit(f"urgent-{number}", "critical")
        fleet.decide(after_s=guarded_s(number - 1) / 2)
        assert number == 1 or fleet.suspended == ["low-0"] * (number - 1)
        fleet.now += guarded_s(number - 1)
        fleet.beat_all()
        fleet.decide()
        assert fleet.suspended == ["low-0"] * number
        fleet.let_go("low-0")
        fleet.decide()
        fleet.end(f"urgent-{number}")
        fleet.decide()
    assert guarded_s(0) == 1.0
    assert [guarded_s(count) for count in (1, 2, 3, 9)] == [10.0, 20.0, 40.0, 120.0]


def test_a_low_run_that_waited_until_it_ranked_with_critical_is_not_thrown_out_again() -> None:
    fleet = Fleet(slots=1)
    fleet.submit("high", "high")
    fleet.decide()
    fleet.submit("patient", "low")
    fleet.now += 1801
    fleet.beat_all()
    fleet.end("high")
    fleet.decide()
    fleet.submit("urgent", "critical")
    fleet.now += 10
    fleet.beat_all()
    fleet.decide()
    assert fleet.suspended == []


def test_what_a_run_had_waited_is_kept_over_a_preemption_and_its_work_does_not_count() -> None:
    fleet = full("standard")
    fleet.submit("patient", "low")
    fleet.now += 700
    fleet.beat_all()
    fleet.end("standard-0")
    fleet.decide()
    first = fleet.core.running["patient"].request.since
    fleet.now += 5000
    fleet.beat_all()
    fleet.submit("urgent", "critical")
    fleet.decide()
    fleet.let_go("patient")
    waiting = fleet.core.waiting["patient"]
    assert waiting.since == first
    assert 700 <= waiting.waited(fleet.now) < 720
    assert waiting.preemptions == 1


def test_no_more_runs_are_suspended_than_are_needed() -> None:
    fleet = full("low", "low", "low", "standard")
    for number in range(2):
        fleet.submit(f"urgent-{number}", "critical")
    fleet.decide()
    fleet.decide(after_s=0.3)
    assert len(fleet.suspended) == len(set(fleet.suspended)) == 2
    assert all(name.startswith("low") for name in fleet.suspended)


def test_a_command_for_a_review_is_never_cut_off() -> None:
    fleet = Fleet(slots=1)
    fleet.submit("evidence-1", "high", is_preemptible=False)
    fleet.decide()
    fleet.submit("urgent", "critical")
    fleet.decide(after_s=10)
    assert fleet.suspended == []


# --- a provider's limits ---------------------------------------------------------------------------------------------

LIMITED = {"model_key": "k", "concurrency": 1}


def test_jobs_of_one_key_share_its_limit_and_others_go_ahead() -> None:
    fleet = Fleet(slots=3)
    fleet.submit("a", **LIMITED)
    fleet.submit("b", **LIMITED)
    fleet.submit("c", model_key="other", concurrency=1)
    fleet.decide()
    assert fleet.running == {"a", "c"}
    assert fleet.core.reasons["b"] == "its model's limit is reached: 1 at once"
    assert fleet.core.limits()["k"]["running"] == 1


def test_tokens_per_minute_hold_jobs_back() -> None:
    fleet = Fleet(slots=3)
    fields = {"model_key": "k", "tokens_per_minute": 3000}
    fleet.submit("a", **fields)
    fleet.decide()
    fleet.beat("a", tokens_per_s=60)
    fleet.submit("b", **fields)
    fleet.decide()
    assert fleet.running == {"a"}
    assert "3,000 tokens a minute" in fleet.core.reasons["b"]
    fleet.beat("a", tokens_per_s=10)
    fleet.decide()
    assert fleet.running == {"a", "b"}


def test_a_critical_run_takes_the_place_at_the_model_of_one_that_talks_to_it() -> None:
    fleet = Fleet(slots=3)
    fleet.submit("other", "low")
    fleet.submit("talks", "standard", **LIMITED)
    fleet.decide()
    fleet.now += 5
    fleet.beat_all()
    fleet.submit("urgent", "critical", **LIMITED)
    fleet.decide()
    assert fleet.suspended == ["talks"], "suspending the lower one would not help"


def test_when_slot_and_model_are_full_one_run_that_frees_both_is_preferred_else_two_go() -> None:
    fleet = Fleet(slots=2)
    fleet.submit("other", "low")
    fleet.submit("talks", "standard", **LIMITED)
    fleet.decide()
    fleet.now += 5
    fleet.beat_all()
    fleet.submit("urgent", "critical", **LIMITED)
    fleet.decide()
    assert fleet.suspended == ["talks"]


def test_a_run_that_the_rate_limit_suspended_pauses_before_it_goes_on(fleet: Fleet) -> None:
    fleet.submit("a")
    fleet.decide()
    known = fleet.core.running["a"].request
    fleet.core.hear(known, worker="one:7", reason="limit", now=fleet.now)
    fleet.let_go("a")
    fleet.decide(after_s=LIMIT_PAUSE_S / 2)
    assert fleet.running == set()
    assert "rate limit" in fleet.core.reasons["a"]
    fleet.decide(after_s=LIMIT_PAUSE_S)
    assert fleet.running == {"a"}


# --- losses ----------------------------------------------------------------------------------------------------------


def test_a_slot_whose_worker_fell_silent_is_free_again(fleet: Fleet) -> None:
    fleet.submit("a")
    fleet.decide()
    assert released(fleet.decide(after_s=LOST_AFTER_S - 0.1)) == []
    assert released(fleet.decide(after_s=0.2)) == ["a"]
    fleet.submit("a", fence=2)
    fleet.decide()
    assert fleet.core.running["a"].request.fence == 2


def test_a_later_attempt_frees_the_slot_of_the_earlier_at_once(fleet: Fleet) -> None:
    fleet.submit("a")
    fleet.decide()
    assert released(fleet.submit("a", fence=2)) == ["a"]


def test_what_nobody_took_is_sent_again_after_a_while_and_when_it_is_rung_for(fleet: Fleet) -> None:
    fleet.submit("a")
    fleet.decide(starts=False)
    assert fleet.decide(after_s=SEND_AGAIN_S - 1) == []
    assert [type(action) for action in fleet.decide(after_s=1)] == [SendAgain]
    fleet.now += SEND_AGAIN_S / 2
    assert [type(action) for action in fleet.submit("a")] == [SendAgain]
    fleet.beat("a")
    assert fleet.decide(after_s=SEND_AGAIN_S) == []


def test_a_run_that_a_worker_tells_of_is_known_even_when_everything_was_forgotten(fleet: Fleet) -> None:
    fleet.submit("a")
    fleet.decide()
    known = fleet.core.running["a"].request
    fresh = Fleet()
    fresh.now = fleet.now
    fresh.submit("a")
    fresh.core.hear(known, worker="one:7", now=fresh.now)
    assert fresh.running == {"a"}
    assert fresh.core.waiting == {}


def test_a_run_that_was_taken_for_lost_and_speaks_again_has_not_grown_old_by_that(fleet: Fleet) -> None:
    fleet.submit("a", "low")
    fleet.decide()
    told = replace(fleet.core.running["a"].request, since=0.0, queued_at=0.0)  # a worker does not know these
    fleet.decide(after_s=LOST_AFTER_S)
    assert fleet.running == set()
    fleet.core.hear(told, worker="one:7", now=fleet.now)
    fleet.let_go("a")
    assert fleet.core.waiting["a"].waited(fleet.now) < 1
    assert fleet.core.waiting["a"].since == fleet.now - LOST_AFTER_S
    fresh = Fleet()
    fresh.core.hear(told, worker="one:7", now=fresh.now)
    assert fresh.core.running["a"].request.since == fresh.now


def test_an_overtaken_worker_is_not_heard(fleet: Fleet) -> None:
    fleet.submit("a", fence=2)
    fleet.decide()
    old = fleet.core.running["a"].request
    fleet.core.hear(replace(old, fence=1), worker="old:1", now=fleet.now)
    assert fleet.core.running["a"].worker == "one:7"
    assert fleet.core.leave("a", 1, now=fleet.now) == []
    assert fleet.running == {"a"}


def test_a_run_that_lost_its_worker_takes_its_slot_back_before_those_that_wait(fleet):
    fleet.submit("a")
    fleet.submit("b")
    fleet.decide()
    fleet.submit("c", workspace_id=2)
    fleet.now += 60
    fleet.beat_all()
    assert fleet.end("a", reason="lost") == []
    fleet.decide(after_s=1)
    assert fleet.running == {"a", "b"}, "nobody else takes the slot in the moment until it is rung for"
    fleet.submit("a", fence=2)
    fleet.decide()
    assert fleet.core.running["a"].request.fence == 2
    assert set(fleet.core.waiting) == {"c"}


def test_the_slot_of_a_lost_run_that_does_not_come_back_is_given_away(fleet):
    for name in ("a", "b", "c"):
        fleet.submit(name)
    fleet.decide()
    fleet.end("a", reason="lost")
    fleet.beat("b")
    fleet.decide(after_s=6)
    assert fleet.running == {"b", "c"}
    fleet.submit("d")
    fleet.submit("a", fence=2)
    fleet.end("b")
    fleet.decide(after_s=1)
    assert fleet.running == {"a", "c"}, "and is back before those that have waited since"
