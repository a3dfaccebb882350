from __future__ import annotations

from typing import Any

import pytest

from tests.framework.people import Company
from tests.webapp.unattended.test_delivering import make_webhook, signed
from tests.webapp.unattended.test_schedule_doors import seen_in
from webapp.unattended.models import Webhook

pytestmark = pytest.mark.django_db
FORM = {
    "name": "Issues", "agent": "tidy", "goal": "See {{ issue.title }}", "proof": "signature", "event_names": "issues",
    "priority": "low",
}  # fmt: skip


def base(company: Company) -> str:
    return f"/w/{company.workspace.pk}/unattended/webhooks/"


def rest(company: Company) -> str:
    return f"/api/v1/workspaces/{company.workspace.pk}/unattended/webhooks"


def test_a_member_makes_one_and_sees_its_secret_once(company: Company) -> None:
    client = company.client(company.member)
    made = client.post(f"{base(company)}add/", FORM, follow=True).content.decode()
    webhook = Webhook.objects.get()
    assert "pyh_" in made and webhook.public_id in made
    page = f"{base(company)}{webhook.pk}/"
    assert "pyh_" not in client.get(page).content.decode()
    assert "pyh_" in client.post(f"{page}secret/", follow=True).content.decode()
    assert "pyh_" not in client.get(page).content.decode()
    assert "Issues" in client.get(base(company)).content.decode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"event_names": "<script>"}, "ten events"),
        ({"proof": "none"}, "valid choice"),
        ({"goal": "x" * 5_001}, "at most 5,000"),
        ({"goal": " ".join(f"{{{{f{n}}}}}" for n in range(51))}, "at most 50 fields"),
    ],
)
def test_what_cannot_be_accepted_is_said(company: Company, changes: dict[str, str], words: str) -> None:
    reply = company.client(company.member).post(f"{base(company)}add/", FORM | changes)
    assert (reply.status_code, words in reply.content.decode()) == (422, True)
    assert not Webhook.objects.exists()


def test_who_may_do_what_and_who_sees_the_address(company: Company) -> None:
    webhook, _ = make_webhook(company)
    one = f"{base(company)}{webhook.pk}/"
    for person, may_read, may_change in (
        (company.viewer, True, False),
        (company.member, True, True),
        (company.maintainer, True, True),
        (company.stranger, False, False),
    ):
        client = company.client(person)
        page = client.get(one)
        assert page.status_code == (200 if may_read else 404)
        assert (webhook.public_id in page.content.decode()) is may_change
        refused = 403 if may_read else 404
        assert client.get(f"{one}edit/").status_code == (200 if may_change else refused)
        assert client.post(f"{one}secret/").status_code == (302 if may_change else refused)
        assert client.post(f"{one}switch/", {"is_on": "0"}).status_code == (302 if may_change else refused)
    assert company.client(None).get(one).status_code == 302


def test_a_change_of_what_somebody_else_has_changed_meanwhile_is_said_and_kept(
    company: Company, api_key: Any
) -> None:
    """Trap: whoever saved last took the other's words away, and nobody was told."""
    webhook, _ = make_webhook(company)
    edit = f"{base(company)}{webhook.pk}/edit/"
    page = company.client(company.maintainer)
    was = seen_in(page.get(edit))
    client, key = company.client(None), {"headers": api_key(company.member, "read", "run")}
    one = f"{rest(company)}/{webhook.pk}"
    read = client.get(one, **key).json()
    assert read["seen"] == was, "one digest for pages and programs"
    body = {"name": "Issues", "agent": "tidy", "goal": "See {{ a }}", "events": ["push"], "seen": was}
    saved = client.put(one, body, "application/json", **key).json()
    text = page.post(edit, FORM | {"seen": was}).content.decode()
    assert "It was changed by Mia (" in text
    stands = text[text.index("What it says now") : text.index("</dl>")]
    assert "push" in stands and "See {{ a }}" in stands and "issue.title" not in stands
    assert "issue.title" in text, "mine is not lost"
    webhook.refresh_from_db()
    assert webhook.event_names == "push"
    assert page.post(edit, FORM | {"seen": saved["seen"]}).status_code == 302
    refused = client.put(one, body | {"seen": saved["seen"]}, "application/json", **key)
    assert refused.status_code == 403, "the maintainer answers for it now"
    taken = {"headers": api_key(company.maintainer, "read", "run")}
    refused = client.put(one, body | {"seen": saved["seen"]}, "application/json", **taken)
    webhook.refresh_from_db()
    assert (refused.status_code, refused.json()["error"]["facts"]) == (409, {"seen": webhook.seen})


def test_its_whole_life_over_rest(company: Company, api_key: Any) -> None:
    client, key = company.client(None), {"headers": api_key(company.member, "read", "run")}
    body = {"name": "Issues", "agent": "tidy", "goal": "See {{ a }}", "events": ["push"]}
    made = client.post(rest(company), body, "application/json", **key).json()
    webhook = Webhook.objects.get()
    assert made["address"].endswith(f"/hooks/{webhook.public_id}") and made["secret"].startswith("pyh_")
    one = f"{rest(company)}/{webhook.pk}"
    assert "secret" not in client.get(one, **key).json()
    assert client.put(one, body | {"events": []}, "application/json", **key).json()["events"] == []
    assert signed(webhook, made["secret"]).status_code == 202
    assert [row["outcome"] for row in client.get(f"{one}/deliveries", **key).json()] == ["started"]
    assert client.post(f"{one}/secret", **key).json()["secret"] != made["secret"]
    off = client.post(f"{one}/switch", {"is_enabled": False}, "application/json", **key)
    assert off.json()["is_enabled"] is False
    viewer = {"headers": api_key(company.viewer, "read", "run")}
    assert client.get(one, **viewer).json()["address"] is None
    assert client.get(rest(company), **viewer).json()[0]["address"] is None
    assert client.delete(one, **viewer).status_code == 403
    assert client.delete(one, **key).status_code == 204
