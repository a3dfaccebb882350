from __future__ import annotations

import pytest

from tests.webapp.agents.conftest import Engine
from webapp.agents import services
from webapp.agents.models import Run
from webapp.agents.selectors import waiting_notes
from webapp.errors import Conflict, Invalid
from workers import events as engine
from workers.events import steer_key, suspend_key
from workers.queue.waiting import WAITING_KEY

pytestmark = pytest.mark.django_db(transaction=True)


def _suspended(worker, **fields):
    worker.say(engine.RunSuspended, reason="preempted", **fields)
    return worker.run


def test_a_queued_run_is_suspended_at_once_and_rung_for_again_when_resumed(run, rung):
    rung()
    suspended = services.suspend_run(run=run)
    assert (suspended.status, suspended.suspend_reason) == (Run.Status.SUSPENDED, "person")
    resumed = services.resume_run(run=run)
    assert (resumed.status, resumed.suspend_reason) == (Run.Status.QUEUED, "")
    assert [job["run_id"] for job in rung()] == [str(run.pk)]


def test_a_running_run_is_asked_and_goes_on_with_its_finished_steps_and_a_higher_fence(
    worker, redis_client, rung
):
    worker.say(engine.StepStarted, step_id="s1", parent_id=None, kind="thought", title="think")
    worker.say(engine.StepFinished, step_id="s1", status="ok", duration_ms=1)
    worker.say(engine.StepStarted, step_id="s2", parent_id=None, kind="model_call", title="ask")
    fence = worker.run.fence
    services.suspend_run(run=worker.run)
    assert redis_client.get(suspend_key(str(worker.run.pk))) == str(fence).encode()
    worker.say(engine.RunSuspended, reason="preempted")
    assert (worker.run.status, worker.run.suspend_reason) == (Run.Status.SUSPENDED, "person")
    assert worker.run.steps.get(step_id="s2").status == "cancelled"
    rung()
    services.resume_run(run=worker.run)
    (job,) = rung()
    assert job["fence"] == fence + 1
    assert [step["step_id"] for step in job["history"]] == ["s1"]


@pytest.mark.parametrize("reason", ["preempted", "limit"])
def test_what_passes_by_itself_queues_the_run_again_and_says_why_until_it_starts(worker, rung, reason):
    """Trap: preempted runs waited for somebody who would resume them, and nobody did."""
    worker.step("s1", "thought", detail={})
    worker.say(engine.StepStarted, step_id="s2", parent_id=None, kind="model_call", title="ask")
    rung()
    worker.say(engine.RunSuspended, reason=reason)
    run = worker.run
    assert (run.status, run.suspend_reason, run.fence) == (Run.Status.QUEUED, reason, 2)
    (job,) = rung()
    assert (job["fence"], [step["step_id"] for step in job["history"]]) == (2, ["s1"])
    assert run.steps.get(step_id="s2").status == "cancelled"
    again = Engine(run)
    again.start()
    assert (run.status, run.suspend_reason) == (Run.Status.RUNNING, "")


def test_who_is_stopped_while_it_makes_room_is_stopped(worker, people):
    services.cancel_run(run=worker.run, cancelled_by=people.member)
    worker.say(engine.RunSuspended, reason="preempted")
    assert worker.run.status == Run.Status.CANCELLED


def test_a_queued_run_that_a_person_suspends_leaves_the_waiting_room(run, redis_client):
    services.launching.ring(run.pk)
    assert redis_client.hexists(WAITING_KEY, str(run.pk))
    services.suspend_run(run=run)
    assert not redis_client.hexists(WAITING_KEY, str(run.pk))


def test_a_step_that_it_waits_for_stays_open(worker):
    worker.say(engine.StepStarted, step_id="s1", parent_id=None, kind="delegation", title="ask @tester")
    worker.say(engine.RunSuspended, reason="children", waits_for=["s1"])
    assert (worker.run.status, worker.run.suspend_reason) == (Run.Status.SUSPENDED, "children")
    assert worker.run.steps.get(step_id="s1").status == "running"


def test_an_ended_run_is_not_suspended_and_a_running_one_not_resumed(worker):
    with pytest.raises(Conflict, match="not suspended"):
        services.resume_run(run=worker.run)
    worker.say(engine.RunFinished, answer="done")
    with pytest.raises(Conflict, match="cannot be suspended"):
        services.suspend_run(run=worker.run)


def test_a_suspended_run_is_stopped_without_a_worker(worker, people):
    worker.say(engine.RunSuspended, reason="limit")
    services.cancel_run(run=worker.run, cancelled_by=people.member)
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.CANCELLED
    assert "while it was suspended" in worker.run.error_message


def test_what_people_say_is_rung_and_kept_until_it_is_taken_up(worker, people, redis_client):
    note = services.steer_run(run=worker.run, by=people.member, kind="message", text="look at b.py first")
    assert redis_client.xlen(steer_key(str(worker.run.pk))) == 1
    assert [entry["text"] for entry in waiting_notes(worker.run)] == ["look at b.py first"]
    worker.say(engine.SteeringTaken, note_ids=[note.pk])
    assert waiting_notes(worker.run) == []


def test_an_answer_to_what_a_suspended_run_waits_for_resumes_it(worker, people, rung):
    worker.say(engine.StepStarted, step_id="s1", parent_id=None, kind="tool_call", title="delete it all")
    worker.say(engine.ApprovalAsked, step_id="s1", tool="run_command", arguments={}, reason="It deletes.")
    worker.say(engine.RunSuspended, reason="approval", waits_for=["s1"])
    rung()
    services.steer_run(run=worker.run, by=people.member, kind="approve", step_id="s1")
    (job,) = rung()
    assert [(note["kind"], note["step_id"]) for note in job["steering"]] == [("approve", "s1")]


@pytest.mark.parametrize(
    ("kind", "text", "step_id", "says"),
    [
        ("sing", "la", "", "one of"),
        ("message", " ", "", "Say something"),
        ("message", "x" * 8_001, "", "at most"),
        ("approve", "", "s9", "not open"),
        ("stop_step", "", "", "not open"),
    ],
)
def test_refuses_what_makes_no_sense(worker, people, kind, text, step_id, says):
    with pytest.raises(Invalid, match=says):
        services.steer_run(run=worker.run, by=people.member, kind=kind, text=text, step_id=step_id)


def test_nothing_is_said_to_an_ended_run(worker, people):
    worker.say(engine.RunFinished, answer="done")
    with pytest.raises(Conflict, match="ended already"):
        services.steer_run(run=worker.run, by=people.member, kind="message", text="wait")
