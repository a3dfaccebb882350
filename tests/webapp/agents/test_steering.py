"""Telling a run something and doing it again from a step: rows, rights, pages and REST."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.webapp.agents.test_delegating import at_work, child_of, hand_on, wait_for
from webapp.accounts.services import create_api_key
from webapp.agents import services
from webapp.agents.lineage import lineage_of
from webapp.agents.models import Run
from webapp.agents.services import delegating, steering
from webapp.agents.services.launching import build_job
from webapp.errors import Conflict, Invalid, NotFound
from workers import events as engine
from workers.agents.budget import Spending
from workers.events import steer_key

pytestmark = pytest.mark.django_db(transaction=True)


def url(run, rest):
    return f"/w/{run.workspace_id}/runs/{run.pk}/{rest}"


# --- who may -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [("member", 302), ("maintainer", 302), ("owner", 302), ("viewer", 403), ("stranger", 404), (None, 302)],
)
@pytest.mark.parametrize("door", ["steer/", "rerun/"])
def test_who_called_the_agent_and_maintainers_may(worker, people, browser, who, status, door):
    if door == "rerun/":
        worker.say(engine.RunFinished, answer="done")
    reply = browser(getattr(people, who) if who else None).post(
        url(worker.run, door), {"kind": "message", "text": "hello"}
    )
    assert reply.status_code == status
    is_done = worker.run.steering.exists() or Run.objects.filter(retry_of=worker.run).exists()
    assert is_done is (status == 302 and who is not None)


def test_a_member_does_not_steer_the_run_of_another(worker, people, browser, workspace):
    from tests.framework.people import make_person
    from webapp.workspaces.models import Membership

    other = make_person("other")
    Membership.objects.create(workspace=workspace, user=other, role="member")
    reply = browser(other).post(url(worker.run, "steer/"), {"kind": "message", "text": "hello"})
    assert reply.status_code == 403
    assert not worker.run.steering.exists()


# --- what is said ------------------------------------------------------------------------------------------------------


def test_a_note_names_its_step_to_the_engine(worker, people):
    worker.step("s1", "command")
    services.steer_run(run=worker.run, by=people.member, kind="stop_step", step_id="s1")
    (note,) = build_job(worker.run).steering
    assert (note["kind"], note["step_id"], note["title"], note["by"]) == (
        "stop_step",
        "s1",
        "Step s1",
        "Member",
    )


def test_words_to_an_agent_without_a_model_are_refused_and_its_steps_are_stopped(worker, people):
    hand_on(worker)
    child = at_work(child_of(worker))
    child.step("s1", "command")
    with pytest.raises(Invalid, match="works without a model"):
        services.steer_run(run=child.run, by=people.member, kind="message", text="hello")
    services.steer_run(run=child.run, by=people.member, kind="stop_step", step_id="s1")


def test_what_is_said_to_a_step_that_waits_for_another_run_reaches_that_run(worker, people):
    hand_on(worker, agent="coder", goal="write b.py")
    wait_for(worker, "d1")
    child = at_work(child_of(worker)).run
    note = services.steer_run(run=worker.run, by=people.member, kind="answer", step_id="d1", text="Yes.")
    assert (note.run, note.kind, note.step_id) == (child, "message", "")


def test_stopping_a_step_that_waits_for_another_run_stops_that_run_and_no_sibling(worker, people):
    hand_on(worker, "d1", agent="coder", goal="write b.py")
    hand_on(worker, "d2", agent="coder", goal="write c.py")
    wait_for(worker, "d1", "d2")
    services.steer_run(run=worker.run, by=people.member, kind="stop_step", step_id="d1")
    assert child_of(worker, "d1").status == Run.Status.CANCELLED
    assert child_of(worker, "d2").status == Run.Status.QUEUED
    delegating.settle_waiting()
    step = worker.run.steps.get(step_id="d1")
    assert (step.status, step.detail["result"]["status"]) == ("failed", "cancelled")
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.SUSPENDED
    assert [note["kind"] for note in build_job(worker.run).steering] == ["stop_step"]


def test_stopping_what_waits_for_a_yes_is_a_no(worker, people):
    worker.say(engine.StepStarted, step_id="s1", parent_id=None, kind="tool_call", title="delete it all")
    worker.say(engine.ApprovalAsked, step_id="s1", tool="run_command", arguments={}, reason="It deletes.")
    worker.say(engine.RunSuspended, reason="approval", waits_for=["s1"])
    note = services.steer_run(run=worker.run, by=people.member, kind="stop_step", step_id="s1")
    assert note.kind == "deny"
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.QUEUED


def test_a_note_whose_ring_was_lost_with_redis_is_rung_for_again(worker, people, redis_client):
    services.steer_run(run=worker.run, by=people.member, kind="message", text="hello")
    key = steer_key(str(worker.run.pk))
    steering.ring_again(now=timezone.now() + timedelta(seconds=10))
    assert redis_client.xlen(key) == 1  # it is there: nothing to do
    redis_client.delete(key)
    steering.ring_again(now=timezone.now())
    assert not redis_client.exists(key)  # its ring may be on its way
    steering.ring_again(now=timezone.now() + timedelta(seconds=10))
    assert redis_client.xlen(key) == 1


def test_a_step_that_a_person_stopped_is_not_begun_again_by_the_next_attempt(worker):
    worker.step("s1", "command", status="cancelled", detail={"stopped_by": "Mia", "call_id": "c1"})
    worker.step("s2", "command", status="cancelled")
    assert [step["step_id"] for step in build_job(worker.run).history] == ["s1"]


# --- done again --------------------------------------------------------------------------------------------------------


def _ended_run(worker):
    worker.step("s1", "model_call", input_tokens=900, output_tokens=100, detail={"calls": []})
    worker.step("s2", "tool_call", parent="s1", detail={"checkpoint": "c" * 40})
    worker.step("s3", "model_call", input_tokens=900, output_tokens=100)
    worker.step("s4", "command", parent="s3")
    worker.step("s5", "proposal", detail={"answer": "done"})
    worker.say(engine.RunFinished, answer="done")
    return worker.run


def test_takes_over_the_finished_steps_before_that_step_and_the_files_as_they_were(worker, people, rung):
    old = _ended_run(worker)
    rung()
    again = services.rerun(run=old, requested_by=people.member, step_id="s4")
    (job,) = rung()
    assert [step["step_id"] for step in job["history"]] == ["s1", "s2", "s3"]
    assert job["history"][1]["detail"]["checkpoint"] == "c" * 40
    assert (job["fence"], job["base_commit"], again.retry_of) == (1, old.base_commit, old)
    assert job["next_seq"] == old.steps.get(step_id="s3").seq + 1
    # A worker goes on with the next number.
    at_work(again).step("s4", "command")
    again.refresh_from_db()
    assert (again.status, again.steps.count()) == (Run.Status.RUNNING, 4)


def test_nothing_that_was_taken_over_costs_again(worker, people):
    again = services.rerun(run=_ended_run(worker), requested_by=people.member, step_id="s4")
    job = build_job(again)
    spending = Spending.resume(job.budget, job.history)
    assert (spending.steps, spending.tokens) == (0, 0)
    assert delegating.own_spending(again).seconds == 0
    assert again.input_tokens == 0


def test_with_other_words_the_model_is_asked_again_what_to_do_instead(worker, people, rung):
    old = _ended_run(worker)
    rung()
    services.rerun(run=old, requested_by=people.member, step_id="s4", text="Run ruff instead.")
    (job,) = rung()
    assert [step["step_id"] for step in job["history"]] == ["s1", "s2"]
    assert [(note["kind"], note["text"]) for note in job["steering"]] == [("message", "Run ruff instead.")]


def test_another_goal_begins_at_the_beginning(worker, people):
    old = _ended_run(worker)
    again = services.rerun(run=old, requested_by=people.member, goal="fix the other test")
    assert (again.goal, again.steps.count(), again.retry_of) == ("fix the other test", 0, old)
    with pytest.raises(Invalid, match="at the beginning"):
        services.rerun(run=old, requested_by=people.member, goal="x", step_id="s4")


def test_a_proposal_is_never_taken_over(worker, people):
    """With it, the new run would end at once with the old answer."""
    again = services.rerun(run=_ended_run(worker), requested_by=people.member, step_id="s5")
    assert not again.steps.filter(kind="proposal").exists()


def test_refuses_a_run_at_work_and_a_step_that_is_not_there(worker, people):
    with pytest.raises(Conflict, match="still at work"):
        services.rerun(run=worker.run, requested_by=people.member)
    old = _ended_run(worker)
    with pytest.raises(NotFound):
        services.rerun(run=old, requested_by=people.member, step_id="s99")


# --- pages and REST ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "is_offered"), [("member", True), ("maintainer", True), ("viewer", False)])
def test_the_page_offers_another_goal_to_who_may(worker, people, browser, who, is_offered):
    """Trap: an ended run was done again with another goal by REST only."""
    page = browser(getattr(people, who)).get(url(worker.run, "")).content.decode()
    assert ('id="run-again" hidden' in page) is is_offered, "shown once it has ended"
    worker.say(engine.RunFinished, answer="done")
    page = browser(getattr(people, who)).get(url(worker.run, "")).content.decode()
    assert ('id="run-again">' in page) is is_offered
    assert ("fix the failing test</textarea>" in page) is is_offered


def test_a_run_is_done_again_with_another_goal_from_its_page(worker, people, browser):
    worker.say(engine.RunFinished, answer="done")
    client = browser(people.member, enforce_csrf_checks=True)
    fields = {"goal": "fix the other test"}
    assert client.post(url(worker.run, "rerun/"), fields).status_code == 403
    page = client.get(url(worker.run, ""))
    token = page.context["csrf_token"]
    reply = client.post(url(worker.run, "rerun/"), fields | {"csrfmiddlewaretoken": str(token)})
    again = Run.objects.get(retry_of=worker.run)
    assert (reply.status_code, reply.url) == (302, url(again, ""))
    assert (again.goal, again.agent, again.requested_by) == ("fix the other test", "coder", people.member)
    assert "an earlier try" in client.get(reply.url).content.decode()


def test_over_rest(worker, people, client):
    _, key = create_api_key(user=people.member, name="k", scopes=("read", "run"))
    base = f"/api/v1/workspaces/{worker.run.workspace_id}/runs/{worker.run.pk}"
    headers = {"Authorization": f"Bearer {key}"}

    def post(rest, **body):
        return client.post(f"{base}/{rest}", body, content_type="application/json", headers=headers)

    told = post("steer", kind="message", text="Use tabs.")
    assert (told.status_code, told.json()["by"], told.json()["taken_at"]) == (201, "Member", None)
    assert post("steer", kind="stop_step", step_id="s9").status_code == 422
    assert [note["text"] for note in client.get(f"{base}/notes", headers=headers).json()] == ["Use tabs."]
    assert post("rerun", step_id="").status_code == 409
    hand_on(worker)
    rows = client.get(f"{base}/lineage", headers=headers).json()
    assert [(row["depth"], row["run"]["agent"]) for row in rows] == [(0, "coder"), (1, "tidy")]
    _ended_run(worker)
    again = post("rerun", step_id="s3")
    assert (again.status_code, again.json()["retry_of"]) == (201, str(worker.run.pk))
    assert post("steer", kind="message", text="too late").status_code == 409


def test_the_lineage_is_one_tree_from_wherever_one_looks(worker):
    hand_on(worker, "d1", agent="coder", goal="write b.py")
    middle = at_work(child_of(worker))
    hand_on(middle, "d2", agent="tidy", goal="sweep")
    low = child_of(middle, "d2")
    for run in (worker.run, middle.run, low):
        tree = lineage_of(run)
        assert tree is not None
        assert [(depth, place.run.agent) for depth, place in tree.walk()] == [
            (0, "coder"),
            (1, "coder"),
            (2, "tidy"),
        ]
        assert [place.run.pk for _, place in tree.walk() if place.is_this] == [run.pk]


def test_a_run_alone_has_no_lineage(worker):
    assert lineage_of(worker.run) is None


def test_a_page_offers_what_can_be_done_with_each_step_to_those_who_may(worker, people, browser):
    worker.say(engine.StepStarted, step_id="s1", parent_id=None, kind="command", title="$ sleep")

    def page(who, rest):
        return browser(who).get(url(worker.run, rest)).content.decode()

    assert "Tell @coder something" in page(people.member, "")
    assert "Tell @coder something" not in page(people.viewer, "")
    assert "Stop this step" in page(people.member, "steps/s1/") and "Answer" in page(
        people.member, "steps/s1/"
    )
    assert "Stop this step" not in page(people.viewer, "steps/s1/")
    services.steer_run(run=worker.run, by=people.member, kind="message", text="<b>Use tabs</b>")
    assert "Member: &lt;b&gt;Use tabs&lt;/b&gt; (not heard yet)" in page(people.member, "")
    worker.say(engine.RunFinished, answer="done")
    assert "Tell @coder something" not in page(people.member, "")
    assert "Run again from here" in page(people.member, "steps/s1/")
    assert "Run again from here" not in page(people.viewer, "steps/s1/")


def test_the_page_of_a_delegation_leads_to_the_run_that_it_waits_for(worker, people, browser):
    hand_on(worker)
    child = child_of(worker)
    step = browser(people.viewer).get(url(worker.run, "steps/d1/")).content.decode()
    assert url(child, "") in step and "Open the run of @tidy" in step
    tree = browser(people.viewer).get(url(child, "lineage/")).content.decode()
    assert url(worker.run, "") in tree and 'aria-current="page"' in tree


def test_an_agent_without_a_model_is_not_offered_words(worker, people, browser):
    hand_on(worker)
    child = at_work(child_of(worker))
    child.step("s1", "command")
    step = browser(people.member).get(url(child.run, "steps/s1/")).content.decode()
    assert "Stop this step" in step and "Answer" not in step
