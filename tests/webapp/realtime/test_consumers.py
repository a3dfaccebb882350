"""Who may open the workspace socket, and when it is taken away."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus

from tests.framework.people import Company
from tests.framework.web import Web
from webapp.workspaces.services import remove_member

pytestmark = pytest.mark.django_db(transaction=True)


def test_welcomes_a_member_and_says_where_the_news_stand(company: Company, web: Web):
    tab = web.tab(company.client(company.viewer), company.workspace.pk)
    welcome = tab.hello()
    assert welcome["epoch"]
    assert welcome["seq"] >= 0
    assert welcome["person"]["epoch"]


@pytest.mark.parametrize("who", ["stranger", "nobody"])
def test_closes_on_a_stranger_and_on_nobody(company: Company, web: Web, who: str):
    client = company.client(company.stranger if who == "stranger" else None)
    assert web.tab(client, company.workspace.pk).close_code() == (4403 if who == "stranger" else 4401)


def test_answers_a_stranger_as_if_the_workspace_were_absent(company: Company, web: Web):
    client = company.client(company.stranger)
    assert web.tab(client, 987_654_321).close_code() == web.tab(client, company.workspace.pk).close_code()


@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://evil.example", "http://localhost.evil.example", "http://localhost:1", "file://"],
)
def test_refuses_the_handshake_of_a_foreign_page(company: Company, web: Web, origin: str | None):
    with pytest.raises(InvalidStatus) as refused:
        web.tab(company.client(company.member), company.workspace.pk, origin=origin)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "raw", ["", "{", "[]", '{"type":"nonsense"}', '{"type":"hello","seq":-1}', '"x"', "null"]
)
def test_closes_on_what_is_no_frame(company: Company, web: Web, raw: str):
    tab = web.tab(company.client(company.member), company.workspace.pk)
    tab.socket.send(raw)
    assert tab.close_code() == 4400


def test_closes_at_once_when_the_person_is_removed(company: Company, web: Web):
    tab = web.tab(company.client(company.member), company.workspace.pk)
    other = web.tab(company.client(company.viewer), company.workspace.pk)
    tab.hello()
    other.hello()

    remove_member(workspace=company.workspace, user_id=company.member.pk)
    assert tab.close_code(timeout_s=2) == 4403
    assert other.event("MembershipChanged")["user_id"] == company.member.pk


def test_closes_at_once_when_the_person_signs_out(company: Company, web: Web):
    client = company.client(company.member)
    tab = web.tab(client, company.workspace.pk)
    elsewhere = web.tab(company.client(company.member), company.workspace.pk)
    tab.hello()
    elsewhere.hello()
    client.logout()
    assert tab.close_code(timeout_s=2) == 4401
    assert elsewhere.command("chat.source", message_id=1)["error"]["code"] == "not_found"


def test_closes_other_sessions_when_the_password_changes(company: Company, web: Web):
    tab = web.tab(company.client(company.member), company.workspace.pk)
    tab.hello()
    company.member.set_password("another good one")
    company.member.save(update_fields=["password"])
    assert tab.close_code(timeout_s=2) == 4401


def test_closes_when_the_account_is_switched_off(company: Company, web: Web):
    tab = web.tab(company.client(company.member), company.workspace.pk)
    tab.hello()
    company.member.is_active = False
    company.member.save()
    assert tab.close_code(timeout_s=2) == 4401
