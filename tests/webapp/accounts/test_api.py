"""People and keys over REST."""

from __future__ import annotations

import pytest

from tests.framework.people import Company
from webapp.accounts.models import User


def test_tells_who_you_are_and_lets_you_rename(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    client, headers = company.client(None), api_key(company.member, "read", "write")
    assert client.get("/api/v1/me", headers=headers).json()["handle"] == "mia"
    body = {"display_name": "Mia M", "handle": "mia-m"}
    changed = client.put("/api/v1/me", body, content_type="application/json", headers=headers)
    assert changed.status_code == 200
    taken = client.put(
        "/api/v1/me",
        {"display_name": "Mia", "handle": "coder"},
        content_type="application/json",
        headers=headers,
    )
    assert taken.status_code == 422


def test_a_key_makes_no_key_that_may_do_more(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    client, headers = (
        company.client(None),
        api_key(company.member, "admin", "read", workspace=company.workspace),
    )
    body = {"name": "x", "scopes": ["read", "apply"]}
    assert (
        client.post("/api/v1/me/keys", body, content_type="application/json", headers=headers).status_code
        == 422
    )
    made = client.post(
        "/api/v1/me/keys", body | {"scopes": ["read"]}, content_type="application/json", headers=headers
    )
    assert made.status_code == 201
    assert made.json()["workspace_id"] == company.workspace.pk
    assert made.json()["key"].startswith("pya_")
    assert "key" not in client.get("/api/v1/me/keys", headers=headers).json()[0]
    assert client.delete(f"/api/v1/me/keys/{made.json()['id']}", headers=headers).status_code == 204


@pytest.mark.parametrize(
    ("method", "path"), [("get", "people"), ("post", "people/invitations"), ("put", "people/1/active")]
)
def test_people_are_the_owners_business(company: Company, api_key, method: str, path: str) -> None:  # type: ignore[no-untyped-def]
    client = company.client(None)

    def ask(person: User) -> int:
        send = getattr(client, method)
        body = {"is_active": True} if method == "put" else {}
        more = [] if method == "get" else [body]
        headers = api_key(person, "admin")
        place = path.replace("/1/", f"/{company.owner.pk}/")
        return int(
            send(f"/api/v1/{place}", *more, content_type="application/json", headers=headers).status_code
        )

    assert ask(company.member) == 404
    User.objects.filter(pk=company.owner.pk).update(is_installation_owner=True)
    company.owner.refresh_from_db()
    assert ask(company.owner) in (200, 201, 409), "an owner cannot shut themselves out, everything else works"


def test_owners_of_a_workspace_invite_by_link(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    client, url = company.client(None), f"/api/v1/workspaces/{company.workspace.pk}/invitations"
    body = {"role": "viewer"}
    assert (
        client.post(
            url, body, content_type="application/json", headers=api_key(company.member, "admin")
        ).status_code
        == 403
    )
    assert (
        client.post(
            url, body, content_type="application/json", headers=api_key(company.stranger, "admin")
        ).status_code
        == 404
    )
    made = client.post(
        url, body, content_type="application/json", headers=api_key(company.owner, "admin")
    ).json()
    assert "/invite/" in made["url"]
    headers = api_key(company.owner, "admin")
    assert [one["id"] for one in client.get(url, headers=headers).json()] == [made["id"]]
    assert client.delete(f"{url}/{made['id']}", headers=headers).status_code == 204
    assert client.delete(f"{url}/{made['id']}", headers=headers).status_code == 404
