"""Suspend, resume, re-prioritise and dismiss: what they do, and who may, on pages and over REST."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.webapp.agents.test_api import caller
from webapp.agents import access, selectors, services
from webapp.agents.models import Run
from webapp.errors import Conflict, Forbidden, Invalid
from webapp.workspaces.models import Membership, Role
from workers import events as engine
from workers.events import suspend_key
from workers.queue.fleet import INBOX_KEY

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"Accept": "application/json"}
ACTIONS = ("suspend_run", "resume_run", "run_priority", "dismiss_run")


def url(name, run):
    return reverse(name, args=[run.workspace_id, run.pk])


def rest(run, what=""):
    return f"/workspaces/{run.workspace_id}/runs/{run.pk}{what}"


def give_up(run):
    Run.objects.filter(pk=run.pk).update(status="dead", error_code="worker_lost", error_message="Lost.")
    run.refresh_from_db()


# --- what it does ----------------------------------------------------------------------------------------------------


def test_suspends_and_resumes_from_its_page(worker, people, browser, redis_client, rung):
    client = browser(people.member)
    run = client.post(url("suspend_run", worker.run), headers=JSON).json()["run"]
    assert (run["status"], run["suspend_reason"]) == ("suspending", "person")
    assert redis_client.exists(suspend_key(str(worker.run.pk)))
    worker.say(engine.RunSuspended, reason="person")
    page = client.get(url("run", worker.run)).content.decode()
    assert "A person suspended it." in page
    assert "Suspended" in page
    rung()
    run = client.post(url("resume_run", worker.run), headers=JSON).json()["run"]
    assert (run["status"], run["suspend_reason"], run["suspend_words"]) == ("queued", "", "")
    assert [job["run_id"] for job in rung()] == [str(worker.run.pk)]


def test_goes_back_to_the_run_without_scripts(run, people, browser):
    reply = browser(people.member).post(url("suspend_run", run))
    assert reply.status_code == 302
    assert reply["Location"] == url("run", run)


@pytest.mark.parametrize("reason", ["children", "approval"])
def test_nobody_resumes_a_run_that_waits_for_others(worker, people, browser, reason):
    worker.say(engine.StepStarted, step_id="s1", parent_id=None, kind="delegation", title="ask")
    worker.say(engine.RunSuspended, reason=reason, waits_for=["s1"])
    reply = browser(people.member).post(url("resume_run", worker.run), headers=JSON)
    assert reply.status_code == 409
    assert "goes on by itself" in reply.json()["error"]["message"]
    assert selectors.summary(worker.run)["may_resume"] is False
    worker.run.refresh_from_db()
    assert worker.run.waits_for == ["s1"]


def test_a_new_priority_stands_in_the_row_and_in_every_later_job(run, people, rung):
    services.reprioritise_run(run=run, priority="high")
    run.refresh_from_db()
    assert run.priority == "high"
    services.suspend_run(run=run)
    rung()
    services.resume_run(run=run)
    assert [job["priority"] for job in rung()] == ["high"]


def test_the_fleet_is_told_of_a_new_priority(run, redis_client):
    services.reprioritise_run(run=run, priority="low")
    told = redis_client.xrange(INBOX_KEY)[-1][1]
    assert (told[b"op"], told[b"run_id"]) == (b"priority", str(run.pk).encode())


def test_runs_that_it_called_become_as_urgent_since_it_waits_for_them(run, people):
    fields = {"workspace": run.workspace, "agent": "tidy", "goal": "x", "origin": "delegation"}
    child = Run.objects.create(parent=run, **fields)
    grandchild = Run.objects.create(parent=child, **fields)
    ended = Run.objects.create(parent=run, status="finished", **fields)
    services.reprioritise_run(run=run, priority="high")
    found = dict(Run.objects.values_list("pk", "priority"))
    assert (found[child.pk], found[grandchild.pk], found[ended.pk]) == ("high", "high", "standard")


def test_refuses_a_priority_that_is_none_and_a_run_that_has_ended(worker):
    with pytest.raises(Invalid, match="critical, high"):
        services.reprioritise_run(run=worker.run, priority="urgent")
    worker.say(engine.RunFinished, answer="done")
    with pytest.raises(Conflict, match="ended already"):
        services.reprioritise_run(run=worker.run, priority="high")


def test_lists_what_was_given_up_until_somebody_has_dealt_with_it(run, people):
    assert not selectors.given_up().exists()
    with pytest.raises(Conflict, match="given up"):
        services.dismiss_run(run=run, dismissed_by=people.member)
    give_up(run)
    other = Run.objects.create(workspace=run.workspace, agent="tidy", goal="x", status="dead")
    assert set(selectors.given_up(run.workspace_id)) == {run, other}
    assert selectors.counts(run.workspace_id)["dead"] == "2"
    services.dismiss_run(run=run, dismissed_by=people.member)
    services.dismiss_run(run=run, dismissed_by=people.maintainer)
    assert run.dismissal.by == people.member
    services.retry_run(run=other, requested_by=people.member)
    assert not selectors.given_up().exists()
    assert selectors.counts(run.workspace_id)["dead"] == ""


# --- how it shows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "badge", "words"),
    [
        ("queued", "", "Queued", ""),
        ("queued", "preempted", "Queued again", "Something more urgent took its place. It goes on by itself"),
        ("suspending", "person", "Suspending", "A person suspended it."),
        ("suspended", "approval", "Suspended", "It waits for a person&#x27;s approval."),
        ("running", "preempted", "Running", ""),
    ],
)
def test_says_how_a_run_stands_and_why(run, people, browser, status, reason, badge, words):
    Run.objects.update(status=status, suspend_reason=reason)
    page = browser(people.viewer).get(url("run", run)).content.decode()
    row = browser(people.viewer).get(url("run_row", run)).content.decode()
    for shown in (page, row):
        assert f"</svg>{badge}</span>" in shown
    assert ('<p class="run-note small">' in page) is bool(words)
    assert words in page


def test_shows_a_priority_that_is_not_the_usual_one(run, people, browser):
    client = browser(people.viewer)
    assert "priority</span>" not in client.get(url("run_row", run)).content.decode()
    Run.objects.update(priority="critical")
    assert "Critical<span" in client.get(url("run_row", run)).content.decode()


def test_counts_what_is_suspended_on_its_tab(run, people, browser):
    services.suspend_run(run=run)
    page = browser(people.viewer).get(reverse("workspace_runs", args=[run.workspace_id])).content.decode()
    assert 'Suspended <span class="badge warn">1</span>' in page


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIONS)
def test_only_the_caller_and_maintainers_hold_a_run(run, people, browser, workspace, name):
    for who, status in ((people.viewer, 403), (people.stranger, 404), (people.boss, 404), (None, 302)):
        reply = browser(who).post(url(name, run), {"priority": "high"})
        assert reply.status_code == status, (name, who)
    Membership.objects.filter(workspace=workspace, user=people.viewer).update(role=Role.MEMBER)
    assert browser(people.viewer).post(url(name, run), {"priority": "high"}).status_code == 403
    run.refresh_from_db()
    assert (run.status, run.priority) == ("queued", "standard")


@pytest.mark.parametrize("who", ["member", "maintainer", "owner"])
def test_the_caller_and_maintainers_hold_a_run(run, people, browser, who):
    client = browser(getattr(people, who))
    assert client.post(url("run_priority", run), {"priority": "low"}, headers=JSON).status_code == 200
    assert client.post(url("suspend_run", run), headers=JSON).json()["run"]["status"] == "suspended"
    assert client.post(url("resume_run", run), headers=JSON).json()["run"]["status"] == "queued"
    give_up(run)
    assert client.post(url("dismiss_run", run), headers=JSON).status_code == 200


def test_critical_is_for_maintainers(run, people, browser, workspace):
    critical = {"priority": "critical"}
    assert browser(people.member).post(url("run_priority", run), critical).status_code == 403
    start = reverse("start_run", args=[workspace.pk])
    call = {"agent": "tidy", "goal": "go", **critical}
    assert browser(people.member).post(start, call).status_code == 403
    run.refresh_from_db()
    assert run.priority == "standard"
    assert (
        browser(people.maintainer).post(url("run_priority", run), critical, headers=JSON).status_code == 200
    )
    assert browser(people.maintainer).post(start, call).status_code == 302
    assert Run.objects.filter(priority="critical").count() == 2


def test_a_critical_run_tried_again_by_who_may_not_is_no_longer_critical(run, people, browser, workspace):
    Run.objects.filter(pk=run.pk).update(
        priority="critical", status=Run.Status.FAILED, requested_by=people.maintainer, job=run.job
    )
    for person, priority in ((people.member, "standard"), (people.maintainer, "critical")):
        assert browser(person).post(url("retry_run", run), headers=JSON).status_code == 200
        again = Run.objects.filter(retry_of=run).latest("created_at")
        assert (again.priority, again.requested_by) == (priority, person)
    Run.objects.filter(pk=run.pk).update(requested_by=people.member)
    body = {"goal": "something else"}
    assert caller(people.member)("post", rest(run, "/rerun"), body).status_code == 201
    assert Run.objects.latest("created_at").priority == "standard"


def test_each_role_is_offered_what_it_may_choose(workspace, people, browser):
    assert access.priorities_for(Role.VIEWER) == ()
    assert access.priorities_for(None) == ()
    assert access.priorities_for(Role.MEMBER) == ("high", "standard", "low")
    assert access.priorities_for(Role.OWNER)[0] == "critical"
    with pytest.raises(Forbidden):
        access.check_priority(Role.MEMBER, "critical")
    address = reverse("workspace_runs", args=[workspace.pk])

    def dialog(user) -> bytes:
        return browser(user).get(address).content.partition(b'<dialog id="call-agent"')[2]

    assert b'value="critical"' in dialog(people.maintainer)
    page = dialog(people.member)
    assert b'value="high"' in page
    assert b'value="critical"' not in page


def test_calls_an_agent_with_a_priority(workspace, people, browser, rung):
    start = reverse("start_run", args=[workspace.pk])
    browser(people.member).post(start, {"agent": "tidy", "goal": "go", "priority": "low"})
    browser(people.member).post(start, {"agent": "tidy", "goal": "go"})
    assert {job["priority"] for job in rung()} == {"low", "standard"}
    assert (
        browser(people.member).post(start, {"agent": "tidy", "goal": "x", "priority": "a"}).status_code == 422
    )


# --- over REST -------------------------------------------------------------------------------------------------------


def test_does_the_same_over_rest(run, people):
    call = caller(people.member, "read", "run")
    held = call("post", rest(run, "/suspend"))
    assert (held.status_code, held.json()["status"], held.json()["suspend_reason"]) == (
        200,
        "suspended",
        "person",
    )
    listed = call("get", f"/workspaces/{run.workspace_id}/runs?status=suspended").json()["runs"]
    assert [one["id"] for one in listed] == [str(run.pk)]
    assert call("post", rest(run, "/resume")).json()["status"] == "queued"
    assert call("post", rest(run, "/resume")).status_code == 409
    changed = call("put", rest(run, "/priority"), {"priority": "high"})
    assert changed.json()["priority"] == "high"
    assert call("put", rest(run, "/priority"), {"priority": "urgent"}).status_code == 422
    given_up = f"/workspaces/{run.workspace_id}/runs-given-up"
    assert call("get", given_up).json() == []
    assert call("post", rest(run, "/dismiss")).status_code == 409
    give_up(run)
    assert [one["id"] for one in call("get", given_up).json()] == [str(run.pk)]
    assert call("post", rest(run, "/dismiss")).status_code == 204
    assert call("get", given_up).json() == []


def test_asks_for_scope_and_role_over_rest(run, people, elsewhere):
    asked = [("post", "/suspend", None), ("post", "/resume", None), ("post", "/dismiss", None)]
    asked.append(("put", "/priority", {"priority": "high"}))
    bound = caller(people.member, workspace=elsewhere)
    for method, what, body in asked:
        assert caller(people.member, "read")(method, rest(run, what), body).status_code == 403
        assert caller(people.viewer)(method, rest(run, what), body).status_code == 403
        for call in (caller(people.stranger), caller(people.boss), bound):
            assert call(method, rest(run, what), body).status_code == 404
    critical = {"priority": "critical"}
    assert caller(people.member)("put", rest(run, "/priority"), critical).status_code == 403
    assert caller(people.maintainer)("put", rest(run, "/priority"), critical).status_code == 200
    base = f"/workspaces/{run.workspace_id}/runs"
    body = {"agent": "tidy", "goal": "x", **critical}
    assert caller(people.member)("post", base, body).status_code == 403
    assert caller(people.maintainer)("post", base, body).status_code == 201
