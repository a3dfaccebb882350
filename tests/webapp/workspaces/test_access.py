"""Every door of a workspace, tried by a member, a stranger and nobody."""

from __future__ import annotations

import pytest

from tests.framework.people import Company
from webapp.errors import Forbidden, NotFound
from webapp.workspaces import access

PAGES = ["", "members/", "settings/", "state/", "files/", "git/"]
API = ["", "/members", "/files", "/git", "/git/log", "/git/remotes"]


@pytest.mark.parametrize("page", PAGES)
def test_pages_open_to_members_and_look_absent_to_strangers(company: Company, page: str) -> None:
    url = f"/w/{company.workspace.pk}/{page}"
    assert company.client(company.viewer).get(url, follow=True).status_code == 200
    hidden = company.client(company.stranger).get(url)
    absent = company.client(company.stranger).get(f"/w/999999/{page}")
    assert hidden.status_code == absent.status_code == 404
    assert _body(hidden) == _body(absent)
    assert company.client(None).get(url).status_code == 302


def _body(reply: object) -> str:
    import re

    text = reply.content.decode()  # type: ignore[attr-defined]
    return re.sub(r'content="[^"]{20,}"|nonce-\S+|value="[^"]{40,}"', "", text)


@pytest.mark.parametrize("path", API)
def test_the_api_opens_to_members_and_looks_absent_to_strangers(company: Company, api_key, path: str) -> None:  # type: ignore[no-untyped-def]
    url = f"/api/v1/workspaces/{company.workspace.pk}{path}"
    client = company.client(None)
    assert client.get(url, headers=api_key(company.viewer, "read")).status_code == 200
    hidden = client.get(url, headers=api_key(company.stranger, "read"))
    absent = client.get(f"/api/v1/workspaces/999999{path}", headers=api_key(company.stranger, "read"))
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json() == absent.json()
    assert client.get(url).status_code == 401


def test_a_key_needs_the_scope_and_may_be_bound_to_one_workspace(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    url = f"/api/v1/workspaces/{company.workspace.pk}"
    client = company.client(None)
    assert client.get(url, headers=api_key(company.owner, "write")).status_code == 403
    other = company.stranger.memberships.get().workspace
    company.workspace.memberships.create(user=company.stranger, role="member")
    bound = api_key(company.stranger, "read", workspace=other)
    assert client.get(url, headers=bound).status_code == 404
    assert [one["id"] for one in client.get("/api/v1/workspaces", headers=bound).json()] == [other.pk]


def test_roles_include_the_ones_before_them(company: Company) -> None:
    assert access.workspace_for(company.owner, company.workspace.pk, role="maintainer")
    with pytest.raises(Forbidden):
        access.workspace_for(company.viewer, company.workspace.pk, role="member")
    with pytest.raises(NotFound):
        access.workspace_for(company.stranger, company.workspace.pk)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("members/invite/", {"role": "member"}),
        ("delete/", {"confirmation": "Parser"}),
        ("settings/", {"name": "New"}),
    ],
)
def test_what_owners_do_is_refused_to_members(company: Company, path: str, data: dict[str, str]) -> None:
    url = f"/w/{company.workspace.pk}/{path}"
    assert company.client(company.member).post(url, data).status_code == 403
    assert company.client(company.stranger).post(url, data).status_code == 404
    company.workspace.refresh_from_db()
    assert company.workspace.name == "Parser"


def test_a_workspace_keeps_an_owner(company: Company) -> None:
    url = f"/w/{company.workspace.pk}/members/{company.owner.pk}/"
    assert company.client(company.owner).post(url, {"action": "remove"}).status_code == 409
    assert company.client(company.owner).post(url, {"action": "role", "role": "viewer"}).status_code == 409


def test_the_only_owner_is_not_offered_to_leave(company: Company) -> None:
    page, other = f"/w/{company.workspace.pk}/members/", "Take Max out of this workspace?"
    html = company.client(company.owner).get(page).content.decode()
    assert "Leave this workspace?" not in html
    assert "The only owner cannot leave" in html
    assert other in html
    company.workspace.memberships.filter(user=company.maintainer).update(role="owner")
    html = company.client(company.owner).get(page).content.decode()
    assert "Leave this workspace?" in html
    assert "The only owner cannot leave" not in html
    assert "Leave this workspace?" in company.client(company.member).get(page).content.decode()


def test_pages_ask_for_the_csrf_token(company: Company) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(company.owner)
    assert client.post(f"/w/{company.workspace.pk}/settings/", {"name": "New"}).status_code == 403
    session_only = client.put(
        f"/api/v1/workspaces/{company.workspace.pk}", {"name": "New"}, content_type="application/json"
    )
    assert session_only.status_code == 403
