"""Calls that wait for a person: asked, shown, told in the channel, answered by who may, once."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from webapp.agents import services
from webapp.agents.models import Approval, Run, SteeringNote
from webapp.agents.services.launching import build_job
from webapp.chat.models import Message
from webapp.chat.services import furnish
from webapp.errors import Conflict, Forbidden, Invalid
from workers import events as engine

pytestmark = pytest.mark.django_db(transaction=True)
STEP = "ask-0011223344556677-1"
HASH = "0" * 64


def _ask(worker, *, approver="caller", suspends=True):
    worker.say(engine.StepStarted, step_id=STEP, parent_id=None, kind="command", title="$ cat .env")
    worker.say(
        engine.ApprovalAsked,
        step_id=STEP,
        tool="run_command",
        arguments={"command": "cat .env"},
        reason="It reads secrets.",
        rule="secrets",
        approver=approver,
        call_hash=HASH,
    )
    if suspends:
        worker.say(engine.RunSuspended, reason="approval", waits_for=[STEP])


def _answer(run, by, kind="approve", text=""):
    return services.steer_run(run=run, by=by, kind=kind, step_id=STEP, text=text)


def test_who_called_says_yes_and_the_run_goes_on_with_it(worker, people, rung):
    _ask(worker)
    assert (worker.run.status, worker.run.waits_for) == (Run.Status.SUSPENDED, [STEP])
    rung()
    note = _answer(worker.run, people.member)
    (job,) = rung()
    assert job["policy"]["verdicts"] == [
        {
            "step_id": STEP,
            "call_hash": HASH,
            "is_approved": True,
            "by": str(people.member),
            "text": "",
            "note_id": note.pk,
        }
    ]
    approval = Approval.objects.get()
    assert (approval.verdict, approval.decided_by) == ("approve", people.member)
    assert approval.decided_at is not None


@pytest.mark.parametrize(
    ("approver", "who", "may"),
    [
        ("caller", "member", True),
        ("caller", "maintainer", True),
        ("caller", "owner", True),
        ("caller", "viewer", False),
        ("caller", "stranger", False),
        ("maintainer", "member", False),
        ("maintainer", "maintainer", True),
    ],
)
def test_only_who_may_answers(worker, people, approver, who, may):
    _ask(worker, approver=approver)
    if may:
        _answer(worker.run, getattr(people, who))
        return
    with pytest.raises(Forbidden, match="may answer this"):
        _answer(worker.run, getattr(people, who))
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.SUSPENDED
    assert not SteeringNote.objects.exists()


def test_another_member_did_not_call_it_and_may_not_answer(worker, people, workspace):
    _ask(worker)
    Run.objects.filter(pk=worker.run.pk).update(requested_by=people.owner)
    with pytest.raises(Forbidden):
        _answer(worker.run, people.member)


def test_it_is_answered_once_and_only_where_something_was_asked(worker, people):
    worker.say(engine.StepStarted, step_id="s9", parent_id=None, kind="command", title="$ ls")
    with pytest.raises(Invalid, match="waits for no approval"):
        services.steer_run(run=worker.run, by=people.member, kind="approve", step_id="s9")
    _ask(worker, suspends=False)
    _answer(worker.run, people.member, "deny", "not this one")
    with pytest.raises(Conflict, match="answered already: denied"):
        _answer(worker.run, people.owner)
    assert Approval.objects.get().text == "not this one"


def test_an_answer_while_the_worker_lets_go_is_not_lost(worker, people, rung):
    _ask(worker, suspends=False)
    _answer(worker.run, people.member)
    rung()
    worker.say(engine.RunSuspended, reason="approval", waits_for=[STEP])
    assert worker.run.status == Run.Status.QUEUED
    (job,) = rung()
    assert job["policy"]["verdicts"][0]["is_approved"] is True


def test_asking_again_after_a_resume_without_an_answer_is_the_same_question(worker, people, run):
    furnish(run.workspace)
    _ask(worker)
    services.resume_run(run=worker.run)
    again = type(worker)(Run.objects.get(pk=run.pk))
    again.start()
    _ask(again)
    assert Approval.objects.count() == 1


def test_the_channel_hears_of_it(people, workspace, rung):
    furnish(workspace)
    run = services.start_run(workspace=workspace, requested_by=people.member, agent="coder", goal="look")
    from tests.webapp.agents.conftest import Engine

    hand = Engine(run)
    hand.start()
    _ask(hand)
    said = Message.objects.filter(agent="coder", run=None).get()
    assert f"@{people.member.handle} May I run `run_command`? It reads secrets." in said.text
    assert f'href="/w/{workspace.pk}/runs/{run.pk}/"' in said.html
    assert [mention.user for mention in said.mentions.all()] == [people.member]
    assert said.topic == run.messages.get().topic


def test_the_page_and_the_card_show_it_with_buttons_for_who_may(worker, people, browser):
    _ask(worker)
    place = [worker.run.workspace_id, worker.run.pk]
    page = browser(people.member).get(reverse("run", args=place)).content.decode()
    assert "cat .env" in page
    assert 'value="approve"' in page
    assert 'value="approve"' not in browser(people.viewer).get(reverse("run", args=place)).content.decode()
    (item,) = browser(people.viewer).get(reverse("run_state", args=place)).json()["approvals"]
    assert (item["is_open"], item["may_decide"], item["arguments"]) == (True, False, "cat .env")
    address = reverse("decide_approval", args=[*place, STEP])
    as_json = {"HTTP_ACCEPT": "application/json"}
    assert browser(people.stranger).post(address, {"verdict": "approve"}, **as_json).status_code == 404
    assert browser(people.viewer).post(address, {"verdict": "approve"}, **as_json).status_code == 403
    assert browser(people.member).post(address, {"verdict": "perhaps"}, **as_json).status_code == 422
    reply = browser(people.member).post(address, {"verdict": "deny", "text": "no"}, **as_json)
    assert [entry["is_open"] for entry in reply.json()["approvals"]] == [False]
    assert browser(people.owner).post(address, {"verdict": "approve"}, **as_json).status_code == 409
    assert build_job(worker.run).policy["verdicts"][0]["is_approved"] is False


def test_what_an_agent_writes_is_shown_as_text(worker, people, browser):
    worker.say(engine.StepStarted, step_id=STEP, parent_id=None, kind="command", title="x")
    hostile = "<img src=x onerror=alert(1)>\u202egnp"
    worker.say(
        engine.ApprovalAsked,
        step_id=STEP,
        tool="run_command",
        arguments={"command": hostile},
        reason=hostile,
        call_hash=HASH,
    )
    address = reverse("run", args=[worker.run.workspace_id, worker.run.pk])
    page = browser(people.member).get(address).content.decode()
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "⟨U+202E⟩" in page
    assert json.loads(json.dumps(Approval.objects.get().arguments))["command"] == hostile
