"""People and keys over REST."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from tests.framework.people import PASSWORD, Company
from webapp.accounts.models import ApiKey, User
from webapp.accounts.services import MAX_KEYS, create_api_key, revoke_api_key
from webapp.errors import Conflict
from webapp.workspaces.models import Workspace


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


def test_a_field_that_does_not_exist_is_refused(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    body = {"name": "From a slip", "git_url": "https://example.org/x.git"}
    headers = api_key(company.member, "write")
    refused = company.client(None).post(
        "/api/v1/workspaces", body, content_type="application/json", headers=headers
    )
    assert refused.status_code == 422
    assert "git_url" in refused.content.decode()
    assert not Workspace.objects.filter(name="From a slip").exists()


def test_a_person_has_so_many_keys_and_no_more(company: Company) -> None:
    ApiKey.objects.bulk_create(
        ApiKey(user=company.member, name=str(n), prefix="pya_", key_hash=str(n), scopes=["read"])
        for n in range(MAX_KEYS)
    )
    with pytest.raises(Conflict, match="Revoke"):
        create_api_key(user=company.member, name="one more", scopes=["read"])
    revoke_api_key(user=company.member, key_id=ApiKey.objects.latest("pk").pk)
    create_api_key(user=company.member, name="one more", scopes=["read"])


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


def test_a_key_bound_to_a_workspace_sees_and_revokes_only_keys_bound_to_it(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    client = company.client(None)
    whole = api_key(company.member, "admin", "read")
    bound = api_key(company.member, "admin", workspace=company.workspace)
    seen = client.get("/api/v1/me/keys", headers=bound).json()
    assert [one["workspace_id"] for one in seen] == [company.workspace.pk]
    other = next(
        one for one in client.get("/api/v1/me/keys", headers=whole).json() if not one["workspace_id"]
    )
    assert client.delete(f"/api/v1/me/keys/{other['id']}", headers=bound).status_code == 404
    assert client.get("/api/v1/me", headers=whole).status_code == 200


def test_makes_a_key_for_a_workspace_one_is_in_and_for_no_other(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    client, headers = company.client(None), api_key(company.member, "admin", "read")
    elsewhere = company.stranger.memberships.get().workspace_id

    def make(workspace_id: int, **headers: str):  # type: ignore[no-untyped-def]
        body = {"name": "x", "scopes": ["read"], "workspace_id": workspace_id}
        return client.post("/api/v1/me/keys", body, content_type="application/json", headers=headers)

    assert make(company.workspace.pk, **headers).json()["workspace_id"] == company.workspace.pk
    assert make(elsewhere, **headers).status_code == 404
    bound = api_key(company.member, "admin", "read", workspace=company.workspace)
    company.member.memberships.create(workspace_id=elsewhere, role="viewer")
    assert make(elsewhere, **bound).status_code == 404, "a bound key makes no key for another workspace"


def test_ends_all_sessions_over_rest(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    browser, headers = company.client(None), api_key(company.member, "admin")
    cache.clear()
    browser.post("/accounts/login/", {"login": company.member.email, "password": PASSWORD})
    assert browser.get("/settings/").status_code == 200
    reply = company.client(None).post("/api/v1/me/sign-out-everywhere", headers=headers)
    assert reply.status_code == 204
    assert browser.get("/settings/").status_code == 302


def test_accepts_an_invitation_once_over_rest(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    client, headers = company.client(None), api_key(company.stranger, "write")
    made = client.post(
        f"/api/v1/workspaces/{company.workspace.pk}/invitations",
        {"role": "viewer"},
        content_type="application/json",
        headers=api_key(company.owner, "admin"),
    ).json()
    body = {"token": made["url"].rstrip("/").rpartition("/")[2]}

    def accept():  # type: ignore[no-untyped-def]
        return client.post(
            "/api/v1/invitations/accept", body, content_type="application/json", headers=headers
        )

    assert accept().json() == {"workspace_id": company.workspace.pk}
    assert company.stranger.memberships.get(workspace=company.workspace).role == "viewer"
    assert accept().status_code == 404
