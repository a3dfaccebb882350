"""Runs that other runs asked for, as rows: made once, bounded by their parent, answered when they end."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from uuid import UUID

import pytest

from tests.webapp.agents.conftest import Engine
from webapp.agents import services
from webapp.agents.models import Run
from webapp.agents.services import delegating
from webapp.agents.services.launching import build_job
from webapp.chat.models import Message
from webapp.workspaces.models import Membership, Role
from workers import events as engine
from workers.agents.delegating import child_run_id
from workers.agents.lineage import CascadeContext
from workers.queue import Budget

pytestmark = pytest.mark.django_db(transaction=True)


def hand_on(hand: Engine, step_id: str = "d1", agent: str = "tidy", goal: str = "tidy up", **fields) -> None:
    """Do as a worker does when its agent hands a goal on."""
    hand.say(
        engine.StepStarted, step_id=step_id, parent_id=None, kind="delegation", title=f"@{agent}: {goal}"
    )
    context = delegating.context_of(hand.run)
    wish = fields.pop("budget", Budget(tokens=100_000, seconds=200))
    lineage = {
        **context.to_dict(),
        "budget": asdict(wish),
        "scope": sorted(fields.pop("scope", context.scope)),
        "deadline": fields.pop("deadline", time.time() + 60),
    }
    hand.say(
        engine.RunDelegated,
        step_id=step_id,
        agent=agent,
        goal=goal,
        lineage=lineage,
        budget=asdict(wish),
        **fields,
    )


def wait_for(hand: Engine, *step_ids: str) -> None:
    hand.say(engine.RunSuspended, reason="children", waits_for=list(step_ids))


def child_of(hand: Engine, step_id: str = "d1") -> Run:
    return Run.objects.get(pk=child_run_id(str(hand.run.pk), step_id))


def at_work(run: Run) -> Engine:
    hand = Engine(run)
    hand.start()
    return hand


def end(run: Run, answer: str = "done") -> None:
    at_work(run).say(engine.RunFinished, answer=answer)


def refusal(hand: Engine, step_id: str = "d1") -> str:
    step = hand.run.steps.get(step_id=step_id)
    assert (step.status, step.detail["result"]["status"]) == ("failed", "refused")
    assert not Run.objects.filter(pk=child_run_id(str(hand.run.pk), step_id)).exists()
    return step.detail["result"]["error"]


def test_the_child_is_its_parents_in_everything(worker, people, rung):
    Run.objects.filter(pk=worker.run.pk).update(priority="high")
    rung()
    hand_on(worker, base_commit="b" * 40)
    child = child_of(worker)
    assert (child.requested_by, child.workspace, child.priority) == (
        people.member,
        worker.run.workspace,
        "high",
    )
    assert (child.parent, child.parent_step, child.origin) == (worker.run, "d1", Run.Origin.DELEGATION)
    assert child.base_commit == "b" * 40
    context = CascadeContext.from_dict(child.lineage)
    assert (context.root_run_id, context.names, context.depth) == (str(worker.run.pk), ["coder", "tidy"], 1)
    (job,) = rung()
    assert (job["run_id"], job["lineage"]["parent_run_id"]) == (str(child.pk), str(worker.run.pk))
    assert job["lineage"]["parent_step"] == "d1"


def test_is_made_once_however_often_it_is_told(worker):
    hand_on(worker)
    hand_on(worker)
    assert Run.objects.filter(parent=worker.run).count() == 1


def test_has_no_card_of_its_own_in_the_channel(worker):
    hand_on(worker)
    assert not Message.objects.filter(run=child_of(worker)).exists()


def test_the_parent_goes_on_when_the_last_child_has_ended(worker, rung):
    hand_on(worker, "d1")
    hand_on(worker, "d2", goal="again")
    wait_for(worker, "d1", "d2")
    rung()
    end(child_of(worker, "d1"), "one")
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.SUSPENDED
    assert rung() == []
    end(child_of(worker, "d2"), "two")
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.QUEUED
    (job,) = rung()
    told = {step["step_id"]: step["detail"]["result"]["answer"] for step in job["history"]}
    assert told == {"d1": "one", "d2": "two"}
    assert job["fence"] == worker.fence + 1


def test_a_child_that_ended_before_its_parent_was_suspended_is_not_missed(worker):
    hand_on(worker)
    end(child_of(worker))
    wait_for(worker, "d1")
    assert worker.run.refresh_from_db() is None and worker.run.status == Run.Status.QUEUED


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (lambda hand: hand.say(engine.RunFailed, code="x", message="It broke.", retryable=False), "failed"),
        (lambda hand: hand.say(engine.RunStopped), "cancelled"),
        (lambda hand: Run.objects.filter(pk=hand.run.pk).update(status=Run.Status.DEAD), "dead"),
    ],
)
def test_a_child_that_ends_badly_is_an_answer_too(worker, ending, status):
    hand_on(worker)
    wait_for(worker, "d1")
    ending(at_work(child_of(worker)))
    delegating.settle_waiting()
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.QUEUED
    step = worker.run.steps.get(step_id="d1")
    assert (step.status, step.detail["result"]["status"]) == ("failed", status)
    assert [s["step_id"] for s in build_job(worker.run).history] == ["d1"]


def test_a_cancelled_parent_cancels_its_children_and_their_children(worker, people):
    hand_on(worker)
    middle = at_work(child_of(worker))
    hand_on(middle, "d9", agent="coder", goal="deeper")
    wait_for(middle, "d9")
    wait_for(worker, "d1")
    lowest = child_of(middle, "d9")
    services.cancel_run(run=worker.run, cancelled_by=people.member)
    for run in (worker.run, middle.run, lowest):
        run.refresh_from_db()
        assert run.status == Run.Status.CANCELLED
    assert "with the run of @coder" in middle.run.error_message


def test_a_running_child_of_a_cancelled_parent_is_told_to_stop(worker, people):
    hand_on(worker)
    child = at_work(child_of(worker))
    wait_for(worker, "d1")
    services.cancel_run(run=worker.run, cancelled_by=people.member)
    child.run.refresh_from_db()
    assert child.run.status == Run.Status.CANCELLING


def test_a_person_who_loses_their_rights_stops_the_whole_cascade(worker, people, workspace):
    hand_on(worker)
    wait_for(worker, "d1")
    child = child_of(worker)
    services.stop_runs_of(people.member.pk, workspace.pk)
    for run in (worker.run, child):
        run.refresh_from_db()
        assert run.status == Run.Status.CANCELLED
    assert worker.run.steering.count() == 0


@pytest.mark.parametrize("role", [Role.VIEWER, None])
def test_nothing_is_handed_on_for_a_person_who_may_call_no_agent_any_more(worker, people, workspace, role):
    membership = Membership.objects.filter(workspace=workspace, user=people.member)
    membership.update(role=role) if role else membership.delete()
    hand_on(worker)
    assert "may call none here" in refusal(worker)


def test_the_rows_decide_what_the_lineage_is_not_the_worker(worker):
    """A worker that lied about its ancestors could hand on for ever, or do more than it may."""
    Run.objects.filter(pk=worker.run.pk).update(
        lineage=replace(delegating.context_of(worker.run), scope=frozenset({"read", "delegate"})).to_dict()
    )
    worker.run.refresh_from_db()
    hand_on(worker, scope={"read", "write", "command"}, budget=Budget(tokens=10**8, seconds=80_000))
    context = CascadeContext.from_dict(child_of(worker).lineage)
    assert context.scope == {"read"}
    assert (context.budget.tokens, context.budget.seconds) == (400_000, 900)


def test_refuses_a_cycle_with_the_lineage_in_the_reason(worker):
    hand_on(worker, agent="coder", goal="Fix the FAILING test!")
    assert "@coder → @coder" in refusal(worker)


def test_a_refused_goal_lets_its_parent_go_on(worker):
    hand_on(worker, agent="nobody")
    wait_for(worker, "d1")
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.QUEUED
    assert "no agent named @nobody" in worker.run.steps.get(step_id="d1").detail["result"]["error"]


def test_what_is_set_aside_and_what_was_spent_never_exceed_the_budget_of_the_root(worker):
    Run.objects.filter(pk=worker.run.pk).update(budget=asdict(Budget(tokens=10_000, seconds=100)))
    worker.run.refresh_from_db()
    hand_on(worker, "d1", budget=Budget(tokens=6_000, seconds=60))
    hand_on(worker, "d2", goal="more", budget=Budget(tokens=6_000, seconds=60))
    assert child_of(worker, "d2").budget["tokens"] == 4_000  # what the first had left over
    hand_on(worker, "d3", goal="still more", budget=Budget(tokens=6_000, seconds=60))
    assert "Too few tokens are left" in refusal(worker, "d3")

    first = at_work(child_of(worker, "d1"))
    first.step("s1", "model_call", input_tokens=1_500, output_tokens=500, duration_ms=20_000)
    first.say(engine.RunFinished, answer="done")
    left = delegating.budget_left(worker.run)
    assert (left.tokens, left.seconds) == (4_000, 40)  # 4,000 tokens that it did not use are back
    result = worker.run.steps.get(step_id="d1")
    wait_for(worker, "d1", "d2")
    result.refresh_from_db()
    assert (result.detail["result"]["tokens"], result.detail["result"]["seconds"]) == (2_000, 20.0)


def test_children_share_the_dollars_also_where_their_parents_price_is_unknown(worker):
    """Trap: below a run of unknown price each child was given the whole sum."""
    Run.objects.filter(pk=worker.run.pk).update(budget={**worker.run.budget, "cost_usd": 1.0})
    worker.step("m1", "model_call", input_tokens=10, output_tokens=1, cost_usd=None)
    hand_on(worker, "d1", budget=Budget(cost_usd=0.6))
    assert delegating.budget_left(worker.run).cost_usd == pytest.approx(0.4), "set aside"
    hand = at_work(child_of(worker))
    hand.step("m1", "model_call", input_tokens=10, output_tokens=1, cost_usd=0.5)
    hand.say(engine.RunFinished, answer="done")
    assert worker.run.cost_usd is None
    assert delegating.budget_left(worker.run).cost_usd == pytest.approx(0.5)
    hand_on(worker, "d2", goal="tidy more", budget=Budget(cost_usd=1.0))
    assert child_of(worker, "d2").budget["cost_usd"] == pytest.approx(0.5)


def test_grandchildren_use_what_their_parent_was_given(worker):
    hand_on(worker, budget=Budget(tokens=8_000, seconds=60))
    middle = at_work(child_of(worker))
    middle.step("s1", "model_call", input_tokens=2_000, output_tokens=0, duration_ms=1_000)
    hand_on(middle, "d2", agent="coder", goal="deeper", budget=Budget(tokens=50_000, seconds=500))
    assert child_of(middle, "d2").budget["tokens"] == 6_000
    assert delegating.budget_left(worker.run).tokens == 392_000


def test_a_loop_cannot_fill_the_database(worker, monkeypatch):
    monkeypatch.setattr(delegating, "MAX_CHILDREN", 2)
    for number in range(3):
        hand_on(worker, f"d{number}", goal=f"part {number}", budget=Budget(tokens=2_000, seconds=10))
    assert "hands on 2 goals at most" in refusal(worker, "d2")


def test_a_child_whose_time_is_over_is_stopped_and_its_parent_goes_on(worker):
    hand_on(worker, deadline=time.time() + 60)
    wait_for(worker, "d1")
    delegating.settle_waiting(now=time.time() + 30)
    child = child_of(worker)
    assert not child.is_final
    delegating.settle_waiting(now=time.time() + 90)
    child.refresh_from_db()
    worker.run.refresh_from_db()
    assert child.status == Run.Status.CANCELLED and "time of the run" in child.error_message
    assert worker.run.status == Run.Status.QUEUED


def test_waiting_often_is_no_sign_of_a_run_that_loses_its_workers(worker):
    """Each wait raises the fence; a run is given up for lost workers only."""
    for number in range(14):
        hand = worker if number == 0 else at_work(Run.objects.get(pk=worker.run.pk))
        hand_on(hand, f"d{number}", goal=f"part {number}", budget=Budget(tokens=2_000, seconds=10))
        wait_for(hand, f"d{number}")
        end(child_of(hand, f"d{number}"))
    last = at_work(Run.objects.get(pk=worker.run.pk))
    last.say(engine.RunInterrupted, seq=0, reason="the worker is shutting down")
    last.run.refresh_from_db()
    assert last.run.fence > 12 and last.run.status == Run.Status.QUEUED


def test_a_stopped_child_does_not_wake_a_parent_that_a_person_has_suspended(worker):
    hand_on(worker)
    services.suspend_run(run=worker.run)
    wait_for(worker, "d1")
    end(child_of(worker))
    delegating.settle_waiting()
    worker.run.refresh_from_db()
    assert (worker.run.status, worker.run.suspend_reason) == (Run.Status.SUSPENDED, "person")


def test_a_goal_whose_run_never_came_to_be_does_not_hold_its_parent_for_ever(worker, monkeypatch):
    worker.say(engine.StepStarted, step_id="d1", parent_id=None, kind="delegation", title="@tidy")
    wait_for(worker, "d1")
    assert worker.run.status == Run.Status.SUSPENDED
    monkeypatch.setattr(delegating, "LOST_AFTER_MS", -1)
    delegating.settle_waiting()
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.QUEUED


def test_ids_are_those_that_the_engine_reckons_with(worker):
    hand_on(worker, "d5")
    assert Run.objects.filter(pk=UUID(child_run_id(str(worker.run.pk), "d5")), parent=worker.run).exists()


def test_the_parents_card_shows_whom_it_asked_with_status_and_change_set(worker, people, browser):
    hand_on(worker, goal="tidy up\n\nWhat was done before you: much")
    child = child_of(worker)
    address = f"/w/{worker.run.workspace_id}/runs/{worker.run.pk}/state/"
    (row,) = browser(people.viewer).get(address).json()["children"]
    assert row == {
        "id": str(child.pk), "workspace_id": child.workspace_id, "agent": "tidy", "goal": "tidy up", "status": "queued",
        "suspend_reason": "", "parent": str(worker.run.pk), "review_id": None,
    }  # fmt: skip
    services.cancel_run(run=child, cancelled_by=people.member)
    assert browser(people.viewer).get(address).json()["children"][0]["status"] == "cancelled"
    below = f"/w/{worker.run.workspace_id}/runs/{child.pk}/state/"
    assert browser(people.viewer).get(below).json()["children"] == []
    assert browser(people.stranger).get(address).status_code == 404


def test_a_parent_for_which_one_is_enough_goes_on_at_the_first_end_and_is_told_what_is_still_at_work(
    worker, rung
):
    for step_id in ("d1", "d2"):
        hand_on(worker, step_id)
    worker.say(engine.RunSuspended, reason="children", waits_for=["d1", "d2"], waits_any=True)
    assert worker.run.status == Run.Status.SUSPENDED
    rung()
    at_work(child_of(worker, "d2")).say(engine.RunFinished, answer="done")
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.QUEUED
    (job,) = [job for job in rung() if job["run_id"] == str(worker.run.pk)]
    assert job["open_steps"] == ["d1"]
    assert [step["step_id"] for step in job["history"]] == ["d2"]

    again = at_work(worker.run)
    again.say(engine.RunSuspended, reason="children", waits_for=["d1"], waits_any=True)
    assert again.run.status == Run.Status.SUSPENDED
    at_work(child_of(worker)).say(engine.RunFinished, answer="done")
    again.run.refresh_from_db()
    assert again.run.status == Run.Status.QUEUED


def test_a_child_that_ends_before_its_parent_lets_go_is_not_waited_for(worker):
    for step_id in ("d1", "d2"):
        hand_on(worker, step_id)
    at_work(child_of(worker)).say(engine.RunFinished, answer="done")
    worker.say(engine.RunSuspended, reason="children", waits_for=["d1", "d2"], waits_any=True)
    assert worker.run.status == Run.Status.QUEUED
