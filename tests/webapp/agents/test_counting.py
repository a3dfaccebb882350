from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.webapp.agents.conftest import Engine
from webapp.agents import services
from webapp.agents.models import DailySpend
from webapp.agents.services.losing import take_from_worker
from workers import events as engine

pytestmark = pytest.mark.django_db(transaction=True)

CUT_OFF = {"status": "cancelled", "duration_ms": 900, "input_tokens": 300, "output_tokens": 20}


def _ask(worker: Engine) -> None:
    worker.say(engine.StepStarted, step_id="s1", parent_id=None, kind="model_call", title="ask")


def _preempted(worker: Engine, *, cost_usd: float | None = 0.5) -> None:
    _ask(worker)
    worker.say(engine.StepFinished, step_id="s1", cost_usd=cost_usd, **CUT_OFF)
    worker.say(engine.RunSuspended, reason="preempted")


def _again(worker: Engine) -> Engine:
    again = Engine(worker.run)
    again.start()
    return again


def test_a_run_that_is_preempted_again_and_again_is_handed_all_that_it_has_spent(worker, rung):
    """Trap: the step that begins again took the place of the one that was cut off, and so did its tokens."""
    rung()
    _preempted(worker)
    (job,) = rung()
    assert job["cut_off"] == {"input_tokens": 300, "output_tokens": 20, "cost_usd": 0.5, "duration_ms": 900}
    assert job["history"] == []
    again = _again(worker)
    _preempted(again)
    (job,) = rung()
    assert job["cut_off"] == {"input_tokens": 600, "output_tokens": 40, "cost_usd": 1.0, "duration_ms": 1800}
    assert (again.run.input_tokens, again.run.cost_usd) == (600, 1.0)

    third = _again(again)
    _ask(third)
    third.say(
        engine.StepFinished, step_id="s1", status="ok", duration_ms=5, input_tokens=310, output_tokens=9,
        cost_usd=0.1, detail={"text": "done"},
    )  # fmt: skip
    third.say(engine.RunSuspended, reason="preempted")
    (job,) = rung()
    assert job["cut_off"] == {"input_tokens": 600, "output_tokens": 40, "cost_usd": 1.0, "duration_ms": 1800}
    assert [(step["input_tokens"], step["cost_usd"]) for step in job["history"]] == [(310, 0.1)]
    assert third.run.input_tokens == job["cut_off"]["input_tokens"] + 310


def test_an_unknown_price_stays_unknown(worker, rung):
    _preempted(worker)
    _preempted(_again(worker), cost_usd=None)
    assert rung()[-1]["cut_off"]["cost_usd"] is None


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_call_that_used_nothing_leaves_the_cost_known(worker, status):
    """Trap: a model whose price is known refused one request, and the run's price showed as unknown."""
    worker.step("s0", "model_call", input_tokens=10, output_tokens=1, cost_usd=0.25)
    _ask(worker)
    nothing = {"duration_ms": 5, "input_tokens": 0, "output_tokens": 0}
    worker.say(engine.StepFinished, step_id="s1", status=status, cost_usd=None, **nothing)
    assert worker.run.cost_usd == 0.25


def test_of_a_worker_that_was_killed_counts_what_it_had_told(worker, rung):
    _ask(worker)
    used = {"input_tokens": 1200, "output_tokens": 34, "cost_usd": 0.02}
    worker.say(engine.Heartbeat, seq=0, calls={"s1": used, "s7": used})
    assert worker.run.input_tokens == 0, "it may still end and say better"
    rung()
    take_from_worker(worker.run.pk, now=timezone.now() + timedelta(minutes=1))
    (job,) = rung()
    assert job["cut_off"].pop("duration_ms") < 30_000, "about as long as its lease"
    assert job["cut_off"] == used
    worker.run.refresh_from_db()
    assert (worker.run.input_tokens, worker.run.output_tokens, worker.run.cost_usd) == (1200, 34, 0.02)
    assert DailySpend.objects.get().input_tokens == 1200


def test_the_time_of_attempts_that_a_rate_limit_cut_off_is_handed_on(worker, rung):
    """Trap: a provider that always says "in a second" let a run begin for ever, whatever seconds it had."""
    rung()
    for attempts in (1, 2):
        _ask(worker)
        worker.run.steps.update(started_at=timezone.now() - timedelta(seconds=4))
        worker.say(engine.RunSuspended, reason="limit")
        (job,) = rung()
        lasted_ms = job["cut_off"].pop("duration_ms")
        assert 4_000 * attempts <= lasted_ms < 4_000 * attempts + 2_000
        assert job["cut_off"] == {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
        worker = _again(worker)


def test_what_was_told_on_the_way_does_not_count_beside_the_end(worker):
    _ask(worker)
    worker.say(
        engine.Heartbeat, seq=0, tokens_per_s=7.5, calls={"s1": {"input_tokens": 9, "output_tokens": 9}}
    )
    worker.say(engine.Heartbeat, seq=0, calls={})
    worker.say(
        engine.StepFinished,
        step_id="s1",
        status="ok",
        duration_ms=5,
        input_tokens=10,
        output_tokens=2,
        cost_usd=0.1,
    )
    assert (worker.run.input_tokens, worker.run.output_tokens, worker.run.tokens_per_s) == (10, 2, 7.5)


def test_a_run_that_takes_finished_steps_over_owes_nothing_for_them(worker, people, rung):
    _preempted(worker)
    again = _again(worker)
    _ask(again)
    again.say(
        engine.StepFinished,
        step_id="s1",
        status="ok",
        duration_ms=5,
        input_tokens=1,
        output_tokens=1,
        cost_usd=0.1,
    )
    again.step("s2", "thought", detail={})
    again.say(engine.RunFinished, answer="done")
    rung()
    services.rerun(run=again.run, requested_by=people.member, step_id="s2")
    (job,) = rung()
    assert [step["step_id"] for step in job["history"]] == ["s1"]
    assert job["cut_off"] == {}
