"""How people come in: the set-up token, invitations, passwords, keys."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests.framework.people import PASSWORD, make_person
from webapp.accounts import services
from webapp.accounts.models import ApiKey, Invitation, User
from webapp.errors import Invalid
from webapp.workspaces.models import Membership
from webapp.workspaces.services import remove_member, set_role

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]
SIGN_UP = {"display_name": "Ada", "email": "ada@example.org", "password1": "analytical engine 1843"}


def sign_up(client: Client, **changes: str):  # type: ignore[no-untyped-def]
    return client.post("/accounts/signup/", SIGN_UP | changes, follow=True)


def test_lets_the_first_person_in_by_the_setup_token_as_owner_and_only_once(client: Client) -> None:
    _, token = services.create_invitation(invited_by=None, is_setup=True)
    assert b"Set up PyAgent" in client.get(f"/setup/?token={token}", follow=True).content
    assert sign_up(client).status_code == 200
    assert User.objects.get(email="ada@example.org").is_installation_owner
    assert Client().get(f"/setup/?token={token}").status_code == 404


def test_says_where_the_first_address_stands_while_nobody_is_here(client: Client) -> None:
    assert b"Nobody has an account here yet" in client.get("/accounts/login/").content
    assert b"not the newest token" in client.get("/setup/?token=old").content
    make_person("ada", is_installation_owner=True)
    assert b"Nobody has an account here yet" not in client.get("/accounts/login/").content
    assert b"Ask for a new one" in client.get("/setup/?token=old").content


def test_keeps_sign_up_closed_without_an_invitation(client: Client) -> None:
    assert b"By invitation" in client.get("/accounts/signup/").content
    sign_up(client)
    assert not User.objects.exists()


@pytest.mark.parametrize("spoil", ["used", "old", "wrong"])
def test_refuses_links_that_are_used_too_old_or_made_up(client: Client, spoil: str) -> None:
    invitation, token = services.create_invitation(invited_by=None)
    if spoil == "used":
        Invitation.objects.update(used_at=timezone.now())
    if spoil == "old":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    reply = client.get(f"/invite/{'x' * 43 if spoil == 'wrong' else token}/")
    assert reply.status_code == 404
    assert invitation.pk


def test_puts_who_was_invited_into_the_workspace_with_the_role(company, client: Client) -> None:  # type: ignore[no-untyped-def]
    _, token = services.create_invitation(
        invited_by=company.owner, workspace=company.workspace, role="viewer"
    )
    client.get(f"/invite/{token}/")
    sign_up(client)
    person = User.objects.get(email="ada@example.org")
    assert Membership.objects.get(user=person).role == "viewer"
    assert not person.is_installation_owner


def test_leads_who_was_invited_to_the_workspace_after_signing_up_or_in(company, client: Client) -> None:  # type: ignore[no-untyped-def]
    address = f"/w/{company.workspace.pk}/"
    _, token = services.create_invitation(invited_by=company.owner, workspace=company.workspace)
    client.get(f"/invite/{token}/")
    assert client.post("/accounts/signup/", SIGN_UP).headers["Location"] == address
    make_person("late")
    _, token = services.create_invitation(invited_by=company.owner, workspace=company.workspace)
    other = Client()
    other.get(f"/invite/{token}/")
    signed_in = other.post("/accounts/login/", {"login": "late@example.org", "password": PASSWORD})
    assert signed_in.headers["Location"] == "/invite/accept/"
    assert "Join Parser" in other.get("/invite/accept/").content.decode()
    assert other.post("/invite/accept/").headers["Location"] == address


def test_signs_in_and_throttles_wrong_passwords(client: Client) -> None:
    cache.clear()
    make_person("grace")
    for _ in range(5):
        assert (
            client.post("/accounts/login/", {"login": "grace@example.org", "password": "wrong"}).status_code
            == 200
        )
    throttled = client.post("/accounts/login/", {"login": "grace@example.org", "password": PASSWORD})
    assert b"Too many" in throttled.content
    cache.clear()
    assert (
        client.post("/accounts/login/", {"login": "grace@example.org", "password": PASSWORD}).status_code
        == 302
    )


def test_says_that_nobody_can_sign_in_while_redis_is_away(client: Client, settings) -> None:  # type: ignore[no-untyped-def]
    make_person("ada")
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "unix:///nowhere/redis.sock"}}
    reply = client.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    assert (reply.status_code, reply["Retry-After"]) == (503, "5")
    assert b"does not answer at the moment" in reply.content


def test_resets_a_password_by_mail(client: Client) -> None:
    cache.clear()
    make_person("grace")
    client.post("/accounts/password/reset/", {"email": "grace@example.org"})
    link = re.search(r"http://\S+(/accounts/password/reset/key/\S+)", mail.outbox[0].body)
    assert link
    form = client.get(link[1], follow=True)
    client.post(
        form.request["PATH_INFO"], {"password1": "a new long password", "password2": "a new long password"}
    )
    assert client.login(email="grace@example.org", password="a new long password")


def test_signs_out_everywhere(client: Client) -> None:
    person = make_person("grace")
    other = Client()
    for browser in (client, other):
        browser.post("/accounts/login/", {"login": "grace@example.org", "password": PASSWORD})
        assert browser.get("/settings/").status_code == 200
    client.post("/settings/sign-out-everywhere/")
    assert other.get("/settings/").status_code == 302
    assert client.get("/settings/").status_code == 302
    assert person.pk


def test_shows_a_new_key_once_and_stores_only_its_hash(client: Client) -> None:
    person = make_person("grace")
    client.force_login(person)
    first = client.post(
        "/settings/keys/", {"name": "laptop", "scopes": ["read"]}, follow=True
    ).content.decode()
    key = re.search(r"pya_[\w-]{43}", first)
    assert key
    assert key[0] not in client.get("/settings/").content.decode()
    assert key[0] not in str(ApiKey.objects.values())
    assert services.authenticate_key(key[0]) == person
    services.revoke_api_key(user=person, key_id=ApiKey.objects.get().pk)
    assert services.authenticate_key(key[0]) is None


def test_keeps_what_was_typed_for_a_key_without_scopes(client: Client) -> None:
    client.force_login(make_person("grace"))
    reply = client.post("/settings/keys/", {"name": "laptop & more"})
    page = reply.content.decode()
    assert reply.status_code == 422
    assert 'value="laptop &amp; more"' in page
    assert "Choose at least one scope." in page
    assert not ApiKey.objects.exists()


def test_refuses_unknown_scopes() -> None:
    with pytest.raises(Invalid):
        services.create_api_key(user=make_person("grace"), name="x", scopes=["read", "fly"])


@pytest.mark.parametrize("path", ["/people/", "/people/invite/", "/people/1/active/"])
def test_hides_the_people_page_from_everybody_but_the_owner(company, path: str) -> None:  # type: ignore[no-untyped-def]
    for person in (company.member, company.stranger):
        reply = company.client(person).get(path) if path == "/people/" else company.client(person).post(path)
        assert reply.status_code == 404
    assert company.client(None).get("/people/").status_code == 302


def test_shutting_a_person_out_ends_their_sessions() -> None:
    owner, person = make_person("olga", is_installation_owner=True), make_person("grace")
    browser = Client()
    browser.post("/accounts/login/", {"login": "grace@example.org", "password": PASSWORD})
    services.set_active(by=owner, user_id=person.pk, is_active=False)
    assert browser.get("/settings/").status_code == 302
    assert not Client().login(email="grace@example.org", password=PASSWORD)


def test_secrets_that_are_shown_once_stand_in_no_session_row(company, client: Client) -> None:  # type: ignore[no-untyped-def]
    company.owner.is_installation_owner = True
    company.owner.save()
    client.force_login(company.owner)
    client.post("/settings/keys/", {"name": "x", "scopes": ["read"]})
    client.post("/people/invite/")
    rows = str([session.get_decoded() for session in Session.objects.all()])
    assert "pya_" not in rows
    assert "/invite/" not in rows
    key = re.search(r"pya_[\w-]+", client.get("/settings/").content.decode())
    assert key
    assert services.authenticate_key(key[0]) == company.owner
    assert b"pya_" not in client.get("/settings/").content.replace(key[0][:12].encode() + "…".encode(), b"")
    token = re.search(r"/invite/([\w-]{43})/", client.get("/people/").content.decode())
    assert token
    Client().get(f"/invite/{token[1]}/")
    assert token[1] not in str([session.get_decoded() for session in Session.objects.all()])


@pytest.mark.parametrize("how", ["removed", "demoted", "shut out"])
def test_links_of_somebody_who_may_not_invite_any_more_stop_working(
    company, client: Client, how: str
) -> None:  # type: ignore[no-untyped-def]
    workspace = company.workspace
    set_role(workspace=workspace, user_id=company.maintainer.pk, role="owner")
    _, token = services.create_invitation(invited_by=company.maintainer, workspace=workspace, role="owner")
    if how == "removed":
        remove_member(workspace=workspace, user_id=company.maintainer.pk)
    elif how == "demoted":
        set_role(workspace=workspace, user_id=company.maintainer.pk, role="maintainer")
    else:
        services.set_active(by=company.owner, user_id=company.maintainer.pk, is_active=False)
    assert client.get(f"/invite/{token}/").status_code == 404


def test_the_setup_token_makes_owner_who_has_an_account_already(client: Client) -> None:
    grace = make_person("grace")
    _, token = services.create_invitation(invited_by=None, is_setup=True)
    client.force_login(grace)
    assert client.get(f"/setup/?token={token}").status_code == 200
    assert client.post("/invite/accept/").status_code == 302
    grace.refresh_from_db()
    assert grace.is_installation_owner


def test_a_wrong_code_of_the_second_factor_lets_nobody_in(client: Client) -> None:
    cache.clear()
    grace = make_person("grace")
    secret = generate_totp_secret()
    TOTP.activate(grace, secret)
    login = {"login": "grace@example.org", "password": PASSWORD}
    assert client.post("/accounts/login/", login)["Location"] == "/accounts/2fa/authenticate/"
    assert client.get("/settings/").status_code == 302, "the password alone signs nobody in"
    assert client.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert client.get("/settings/").status_code == 302
    code = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    assert client.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert client.get("/settings/").status_code == 200
    replayed = Client()
    replayed.post("/accounts/login/", login)
    assert replayed.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 200, (
        "a code works once"
    )


@pytest.mark.parametrize("page", ["totp/activate", "webauthn/add"])
def test_who_was_invited_sets_a_second_factor_though_mail_goes_to_the_log(client: Client, page: str) -> None:
    cache.clear()
    _, token = services.create_invitation(invited_by=None)
    client.get(f"/invite/{token}/")
    sign_up(client)
    client.get("/accounts/email/")  # looking at one's addresses changes nothing about it
    asked = client.get(f"/accounts/2fa/{page}/")["Location"]
    assert asked.startswith("/accounts/reauthenticate/")
    reply = client.post(asked, {"password": SIGN_UP["password1"]}, follow=True)
    assert reply.request["PATH_INFO"] == f"/accounts/2fa/{page}/", reply.content
    assert b"<form" in reply.content


def test_the_session_of_a_visitor_is_not_the_one_they_sign_in_with(company, client: Client) -> None:  # type: ignore[no-untyped-def]
    cache.clear()
    _, token = services.create_invitation(invited_by=company.owner)
    client.get(f"/invite/{token}/")
    before = client.cookies["sessionid"].value
    client.post("/accounts/login/", {"login": "mia@example.org", "password": PASSWORD})
    assert client.cookies["sessionid"].value != before
    planted = Client()
    planted.cookies["sessionid"] = before
    assert planted.get("/settings/").status_code == 302


def test_password_reset_says_the_same_to_everybody(company) -> None:  # type: ignore[no-untyped-def]
    cache.clear()
    answers = [
        Client().post("/accounts/password/reset/", {"email": address}, follow=True)
        for address in ("mia@example.org", "nobody@example.org")
    ]
    assert answers[0].redirect_chain == answers[1].redirect_chain
    bodies = [
        re.sub(r'(nonce=|value=|content=|hx-headers=)("[^"]*"|\'[^\']*\')', "", one.content.decode())
        for one in answers
    ]
    assert bodies[0] == bodies[1]


def test_a_made_up_forwarded_address_does_not_get_round_the_throttle(company) -> None:  # type: ignore[no-untyped-def]
    cache.clear()
    for number in range(12):
        reply = Client().post(
            "/accounts/login/",
            {"login": f"nobody{number}@example.org", "password": "wrong"},
            headers={"X-Forwarded-For": f"10.0.0.{number}", "X-Real-IP": f"10.0.1.{number}"},
        )
    assert b"Too many" in reply.content
