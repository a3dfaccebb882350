from __future__ import annotations

import re
from typing import Any

import pytest
from django.http import HttpResponse

from tests.framework.people import Company
from tests.webapp.unattended.conftest import make_schedule
from webapp.agents.models import ModelProfile
from webapp.chat.models import Channel
from webapp.unattended import services
from webapp.unattended.models import Act, Schedule

pytestmark = pytest.mark.django_db
FORM = {
    "name": "Nightly", "agent": "tidy", "goal": "", "every": "weekday", "at": "03:30", "cron": "", "zone": "Europe/Berlin",
    "when_busy": "queue", "priority": "low",
}  # fmt: skip
BODY = {"name": "Hourly", "agent": "tidy", "cron": "5 * * * *"}


def seen_in(reply: HttpResponse) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]{16})"', reply.content.decode())
    assert found is not None
    return found[1]


def base(company: Company) -> str:
    return f"/w/{company.workspace.pk}/unattended/"


def rest(company: Company) -> str:
    return f"/api/v1/workspaces/{company.workspace.pk}/unattended/schedules"


def test_a_member_makes_one_by_the_form(company: Company) -> None:
    client = company.client(company.member)
    page = client.get(base(company) + "schedules/add/").content.decode()
    assert "Europe/Berlin" in page and "data-own-zone" in page
    reply = client.post(base(company) + "schedules/add/", FORM, follow=True)
    schedule = Schedule.objects.get()
    assert (schedule.cron, schedule.zone, schedule.owner) == ("30 3 * * 1-5", "Europe/Berlin", company.member)
    assert (schedule.when_busy, schedule.priority, schedule.budget) == ("queue", "low", {})
    text = reply.content.decode()
    assert "At 03:30 on Monday through Friday" in text and "Next " in text
    shown = client.get(base(company)).content.decode()
    assert "Nightly" in shown and "@tidy" in shown and "made it" in shown
    assert "data-own-zone" not in client.get(f"{base(company)}schedules/{schedule.pk}/edit/").content.decode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"every": "cron", "cron": "99 * * * *"}, "never due"),
        ({"every": "cron", "cron": ""}, "five fields"),
        ({"agent": "coder"}, "Tell @coder what to do"),
        ({"priority": "critical"}, "valid choice"),
        ({"steps": "0"}, "greater than or equal"),
        ({"name": " "}, "required"),
    ],
)
def test_what_cannot_be_accepted_is_said_beside_its_field(
    company: Company, changes: dict[str, str], words: str
) -> None:
    reply = company.client(company.member).post(base(company) + "schedules/add/", FORM | changes)
    assert reply.status_code == 422
    assert words in reply.content.decode()
    assert not Schedule.objects.exists()


def test_a_limit_that_is_given_leaves_the_others_to_the_workspace(company: Company) -> None:
    from webapp.agents.budgets import set_default_budget
    from workers.queue import Budget

    set_default_budget(workspace=company.workspace, budget=Budget(steps=7, tokens=None, seconds=60))
    company.client(company.member).post(base(company) + "schedules/add/", FORM | {"seconds": "30"})
    assert Schedule.objects.get().budget == {"steps": 7, "tokens": None, "seconds": 30, "cost_usd": None}


def test_who_may_do_what(company: Company, schedule: Schedule) -> None:
    one = f"{base(company)}schedules/{schedule.pk}/"
    for person, may_read, may_change in (
        (company.viewer, True, False),
        (company.member, True, True),
        (company.maintainer, True, True),
        (company.stranger, False, False),
    ):
        client = company.client(person)
        assert client.get(one).status_code == (200 if may_read else 404)
        refused = 403 if may_read else 404
        assert client.get(f"{one}edit/").status_code == (200 if may_change else refused)
        assert client.get(f"{base(company)}schedules/add/").status_code == (200 if may_change else refused)
        assert client.post(f"{one}switch/", {"is_on": "1"}).status_code == (302 if may_change else refused)
    assert company.client(None).get(one).status_code == 302
    others = make_schedule(company)
    Schedule.objects.filter(pk=others.pk).update(owner=company.owner)
    assert (
        company.client(company.member).get(f"{base(company)}schedules/{others.pk}/edit/").status_code == 403
    )


def test_whoever_changes_it_or_switches_it_on_answers_for_it(company: Company, schedule: Schedule) -> None:
    one = f"{base(company)}schedules/{schedule.pk}/"
    maintainer = company.client(company.maintainer)
    assert "answers for it from then on" in maintainer.get(f"{one}edit/").content.decode()
    maintainer.post(f"{one}edit/", FORM)
    schedule.refresh_from_db()
    assert schedule.owner == company.maintainer
    assert "takes it over from Mia" in Act.objects.filter(verb="changed").get().note
    services.switch_schedule(schedule=schedule, is_on=False, by=company.maintainer)
    company.client(company.owner).post(f"{one}switch/", {"is_on": "1"})
    schedule.refresh_from_db()
    assert schedule.owner == company.owner and schedule.is_enabled and schedule.next_at is not None


def test_a_change_of_what_somebody_else_has_changed_meanwhile_is_said_and_kept(
    company: Company, schedule: Schedule
) -> None:
    """Trap: whoever saved last took the other's words away, and nobody was told."""
    mia, max_ = (company.client(one) for one in (company.member, company.maintainer))
    edit = f"{base(company)}schedules/{schedule.pk}/edit/"
    was = seen_in(mia.get(edit))
    theirs = FORM | {"goal": "Only the tests,\r\nplease.", "every": "cron", "cron": "7 * * * *"}
    assert max_.post(edit, theirs | {"seen": seen_in(max_.get(edit))}).status_code == 302
    Schedule.objects.update(owner=company.member)  # a maintainer took it over; she may change hers again
    mine = FORM | {"goal": "Only the docs.", "every": "hour", "at": "00:07", "topic": "night"}
    reply = mia.post(edit, mine | {"seen": was})
    text = reply.content.decode()
    assert reply.status_code == 422
    assert f"It was changed by {company.maintainer} (" in text and "Nothing of yours is saved yet" in text
    assert "Only the docs." in text and 'value="night"' in text, "mine is not lost"
    stands = text[text.index("What it says now") : text.index("</dl>")]
    assert dict(re.findall("<dt>([^<]+)</dt><dd[^>]*>([^<]+)<", stands)) == {
        "What to do": "Only the tests,\nplease.", "Topic": "—",
    }, "what both say is no difference"  # fmt: skip
    schedule.refresh_from_db()
    assert (schedule.goal, schedule.owner) == ("Only the tests,\nplease.", company.member)
    assert mia.post(edit, mine | {"seen": seen_in(reply)}).status_code == 302
    schedule.refresh_from_db()
    assert (schedule.goal, schedule.cron) == ("Only the docs.", "7 * * * *")


def test_two_tabs_that_start_from_the_same_do_not_take_each_others_words_away(
    company: Company, schedule: Schedule
) -> None:
    mia, edit = company.client(company.member), f"{base(company)}schedules/{schedule.pk}/edit/"
    was = seen_in(mia.get(edit))
    assert mia.post(edit, FORM | {"priority": "high", "seen": was}).status_code == 302
    text = mia.post(edit, FORM | {"priority": "low", "steps": "4", "seen": was}).content.decode()
    stands = text[text.index("What it says now") : text.index("</dl>")]
    assert dict(re.findall("<dt>([^<]+)</dt><dd[^>]*>([^<]+)<", stands)) == {
        "Priority": "High", "Model calls of a run": "—",
    }  # fmt: skip
    schedule.refresh_from_db()
    assert (schedule.priority, schedule.budget) == ("high", {})


def test_over_rest_a_digest_guards_what_was_read(company: Company, schedule: Schedule, api_key: Any) -> None:
    client, key = company.client(None), {"headers": api_key(company.member, "read", "run")}
    one = f"{rest(company)}/{schedule.pk}"
    was = client.get(one, **key).json()["seen"]
    assert client.get(rest(company), **key).json()[0]["seen"] == was

    def put(**more: Any) -> Any:
        return client.put(one, BODY | more, "application/json", **key)

    first = put(seen=was, budget={"steps": 3, "cost_usd": 0.1}).json()
    assert first["seen"] != was
    assert first["seen"] == client.get(one, **key).json()["seen"], "the answer is what stands"
    refused = put(seen=was, name="Mine")
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["facts"]) == (409, "conflict", {"seen": first["seen"]})
    assert "changed by Mia" in error["message"] and "name" in error["message"]
    assert client.get(one, **key).json()["name"] == "Hourly"
    assert put(seen=error["facts"]["seen"], name="Mine").json()["name"] == "Mine"
    assert put(name="Without").json()["name"] == "Without", "who sends no digest replaces what stands there"
    client.post(f"{one}/switch", {"is_enabled": False}, "application/json", **key)
    last = client.get(one, **key).json()
    assert put(seen=last["seen"]).status_code == 200, "on and off is no word of the description"


def test_nobody_sets_it_going_on_anothers_model(company: Company, schedule: Schedule) -> None:
    theirs = ModelProfile.objects.create(user=company.member, name="hers", provider="embedded")
    reply = company.client(company.maintainer).post(
        f"{base(company)}schedules/{schedule.pk}/edit/", FORM | {"profile_id": str(theirs.pk)}
    )
    assert reply.status_code == 422
    schedule.refresh_from_db()
    assert schedule.owner == company.member


def test_a_deleted_one_leaves_its_record(company: Company, schedule: Schedule) -> None:
    company.client(company.member).post(f"{base(company)}schedules/{schedule.pk}/delete/")
    assert not Schedule.objects.exists()
    assert [act.verb for act in Act.objects.all()] == ["deleted", "made"]
    assert "deleted it" in company.client(company.viewer).get(base(company)).content.decode()


def test_its_whole_life_over_rest(company: Company, api_key: Any) -> None:
    client, key = company.client(None), {"headers": api_key(company.member, "read", "run")}
    channel = Channel.objects.get(workspace=company.workspace)
    body = BODY | {"channel_id": channel.pk, "topic": "t", "budget": {"steps": 3, "tokens": 100}}
    made = client.post(rest(company), body, "application/json", **key)
    assert made.status_code == 201, made.content
    assert made.json()["words"] == "At minute 5 of every hour"
    one = f"{rest(company)}/{made.json()['id']}"
    changed = client.put(one, BODY | {"zone": "Asia/Tokyo"}, "application/json", **key).json()
    assert (changed["zone"], changed["channel_id"], changed["budget"]) == ("Asia/Tokyo", None, None)
    assert client.post(f"{one}/start", **key).status_code == 201
    assert client.post(f"{one}/start", **key).status_code == 409
    assert [row["outcome"] for row in client.get(f"{one}/firings", **key).json()] == ["started"]
    off = client.post(f"{one}/switch", {"is_enabled": False}, "application/json", **key).json()
    assert (off["is_enabled"], off["next_at"]) == (False, None)
    assert client.delete(one, **key).status_code == 204
    acts = client.get(rest(company).removesuffix("schedules") + "acts", **key).json()
    assert [act["verb"] for act in acts] == ["deleted", "disabled", "started", "changed", "made"]
    assert client.get(rest(company), **key).json() == []


def test_a_key_needs_its_scope_and_its_workspace(company: Company, schedule: Schedule, api_key: Any) -> None:
    client, one = company.client(None), f"{rest(company)}/{schedule.pk}"
    read = {"headers": api_key(company.member, "read")}
    assert client.get(one, **read).status_code == 200
    assert client.delete(one, **read).status_code == 403
    elsewhere = company.stranger.memberships.get().workspace
    bound = {"headers": api_key(company.member, "read", "run", workspace=elsewhere)}
    assert client.get(one, **bound).status_code == client.delete(one, **bound).status_code == 404
    own = {"headers": api_key(company.member, "read", "run", workspace=company.workspace)}
    assert client.get(one, **own).status_code == 200


def test_there_is_an_end_to_how_many(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    from webapp.errors import Conflict
    from webapp.unattended.services import calling

    monkeypatch.setattr(calling, "MAX_ITEMS", 1)
    make_schedule(company)
    with pytest.raises(Conflict, match="at most"):
        make_schedule(company)
