"""Single sign-on against a real OpenID Connect provider: the invitation's rule holds there too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from tests.framework.oidc_provider import OidcProvider, come_in, serve_oidc, settings_for
from tests.framework.people import Company, make_person
from webapp.accounts import services
from webapp.accounts.models import Invitation, User
from webapp.workspaces.models import Membership

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]


@pytest.fixture
def provider(settings: Any) -> Iterator[OidcProvider]:
    with serve_oidc() as running:
        settings.SOCIALACCOUNT_PROVIDERS = settings_for(running)
        running.person = {"sub": "1815", "email": "ada@example.org", "name": "Ada Lovelace"}
        yield running


def test_offers_single_sign_on_where_it_is_set_up(provider: OidcProvider, client: Client) -> None:
    assert b"Single sign-on" in client.get("/accounts/login/").content


def test_lets_nobody_in_without_an_invitation(provider: OidcProvider, client: Client) -> None:
    reply = come_in(client, provider)
    assert b"By invitation" in reply.content
    assert not User.objects.exists()


def test_an_invitation_lets_one_person_in_and_no_second(provider: OidcProvider, company: Company) -> None:
    _, token = services.create_invitation(
        invited_by=company.owner, workspace=company.workspace, role="viewer"
    )
    first, second = Client(), Client()
    for client in (first, second):
        client.get(f"/invite/{token}/")
    assert come_in(first, provider).status_code == 302
    ada = User.objects.get(email="ada@example.org")
    assert (ada.display_name, ada.handle, ada.has_usable_password()) == (
        "Ada Lovelace",
        "ada-lovelace",
        False,
    )
    assert Membership.objects.get(user=ada).role == "viewer"
    assert first.get("/").status_code == 200
    assert Invitation.objects.get(workspace=company.workspace).used_by == ada
    provider.person = {"sub": "1906", "email": "grace@example.org", "name": "Grace Hopper"}
    come_in(second, provider)
    assert not User.objects.filter(email="grace@example.org").exists()


def test_the_setup_token_makes_whoever_uses_it_owner(provider: OidcProvider, client: Client) -> None:
    _, token = services.create_invitation(invited_by=None, is_setup=True)
    client.get(f"/setup/?token={token}")
    come_in(client, provider)
    assert User.objects.get(email="ada@example.org").is_installation_owner


def test_comes_back_without_an_invitation(provider: OidcProvider, client: Client) -> None:
    _, token = services.create_invitation(invited_by=None)
    client.get(f"/invite/{token}/")
    come_in(client, provider)
    again = Client()
    assert come_in(again, provider)["Location"] == "/"
    assert again.get("/settings/").status_code == 200


def test_the_same_address_alone_opens_nobodys_account(provider: OidcProvider, client: Client) -> None:
    ada = make_person("ada")
    _, token = services.create_invitation(invited_by=None)
    client.get(f"/invite/{token}/")
    come_in(client, provider)
    assert client.get("/settings/").status_code == 302
    assert not ada.socialaccount_set.exists()


def test_refuses_an_answer_that_this_browser_did_not_ask_for(provider: OidcProvider, client: Client) -> None:
    _, token = services.create_invitation(invited_by=None)
    client.get(f"/invite/{token}/")
    asked = Client().post("/accounts/oidc/oidc/login/")["Location"]
    answer = provider.answer_to(asked)
    client.get("/accounts/oidc/oidc/login/callback/", answer)
    client.get("/accounts/oidc/oidc/login/callback/", {"code": answer["code"], "state": "made-up"})
    assert not User.objects.exists()
