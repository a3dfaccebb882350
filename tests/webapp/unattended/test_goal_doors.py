from __future__ import annotations

from typing import Any

import pytest

from tests.framework.people import Company
from tests.webapp.unattended.test_rounds import judge_command, last, set_goal, work
from webapp.unattended.models import Goal

pytestmark = pytest.mark.django_db(transaction=True)
FORM = {
    "name": "Green", "agent": "coder", "goal": "Make the tests pass", "command": "true", "criteria": "", "max_rounds": "3",
    "max_seconds": "600", "max_tokens": "", "priority": "low",
}  # fmt: skip


def base(company: Company) -> str:
    return f"/w/{company.workspace.pk}/unattended/goals/"


def rest(company: Company) -> str:
    return f"/api/v1/workspaces/{company.workspace.pk}/unattended/goals"


def test_a_member_sets_one_by_the_form_and_follows_its_rounds(company: Company) -> None:
    client = company.client(company.member)
    form = client.get(f"{base(company)}add/").content.decode()
    assert "@coder" in form and ">@auditor<" not in form and ">@reviewer<" not in form
    begun = client.post(f"{base(company)}add/", FORM, follow=True).content.decode()
    assert "The first round begins in a moment" in begun
    goal = Goal.objects.get()
    assert (goal.max_rounds, goal.max_tokens, goal.max_seconds, goal.owner) == (3, None, 600, company.member)
    from webapp.unattended import services

    services.advance_goals()
    work(goal, "one\n")
    judge_command(goal, "failed", "<b>assert</b> 1 == 2")
    page = client.get(f"{base(company)}{goal.pk}/").content.decode()
    assert "Round 2" in page and "&lt;b&gt;assert&lt;/b&gt; 1 == 2" in page and "2 of 3" in page
    listed = client.get(base(company)).content.decode()
    assert "Green" in listed and "2 of 3 rounds" in listed and "Review" in listed
    client.post(f"{base(company)}{goal.pk}/stop/")
    assert "Stopped by Mia." in client.get(f"{base(company)}{goal.pk}/").content.decode()
    client.post(f"{base(company)}{goal.pk}/delete/")
    assert not Goal.objects.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"command": ""}, "Say how to check it"),
        ({"agent": "auditor"}, "valid choice"),
        ({"max_rounds": "0"}, "greater than or equal"),
        ({"max_cost_usd": "0"}, "greater than or equal"),
    ],
)
def test_what_cannot_be_accepted_is_said(company: Company, changes: dict[str, str], words: str) -> None:
    reply = company.client(company.member).post(f"{base(company)}add/", FORM | changes)
    assert (reply.status_code, words in reply.content.decode()) == (422, True)
    assert not Goal.objects.exists()


def test_who_may_do_what(company: Company) -> None:
    for person, may_read, may_change in (
        (company.viewer, True, False),
        (company.maintainer, True, True),
        (company.stranger, False, False),
    ):
        goal = set_goal(company)
        one, client = f"{base(company)}{goal.pk}/", company.client(person)
        refused = 403 if may_read else 404
        assert client.get(one).status_code == (200 if may_read else 404)
        assert client.get(f"{base(company)}add/").status_code == (200 if may_change else refused)
        assert client.post(f"{one}stop/").status_code == (302 if may_change else refused)
        assert client.post(f"{one}delete/").status_code == (302 if may_change else refused)
        assert Goal.objects.filter(pk=goal.pk).exists() is not may_change
    assert company.client(None).get(base(company)).status_code == 302


def test_its_whole_life_over_rest(company: Company, api_key: Any) -> None:
    client, key = company.client(None), {"headers": api_key(company.member, "read", "run")}
    body = {"name": "Green", "agent": "coder", "goal": "Pass", "command": "true", "max_rounds": 2}
    made = client.post(rest(company), body, "application/json", **key)
    assert (made.status_code, made.json()["state"]) == (201, "working")
    from webapp.unattended import services

    services.advance_goals()
    one = f"{rest(company)}/{made.json()['id']}"
    goal = Goal.objects.get()
    work(goal, "one\n", tokens=70)
    rounds = client.get(f"{one}/rounds", **key).json()
    assert [(row["number"], row["stage"], row["revision"], row["is_changed"]) for row in rounds] == [
        (1, "command", 1, True)
    ]
    assert client.delete(one, **key).status_code == 409
    judge_command(goal, "passed")
    now = client.get(one, **key).json()
    assert (now["state"], now["spent"]["tokens"], now["change_set_id"]) == (
        "reached",
        70,
        last(goal).goal.change_set_id,
    )
    assert client.post(f"{one}/stop", **key).status_code == 409
    viewer = {"headers": api_key(company.viewer, "read", "run")}
    assert client.get(rest(company), **viewer).json()[0]["state"] == "reached"
    assert client.delete(one, **viewer).status_code == 403
    read_only = {"headers": api_key(company.member, "read")}
    assert client.post(rest(company), body, "application/json", **read_only).status_code == 403
    assert client.delete(one, **key).status_code == 204
