"""Channels and messages over REST, by scope and by person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.framework.people import Company
from webapp.chat.models import Channel, Message
from webapp.chat.services import post_message

Headers = Callable[..., dict[str, str]]


@pytest.fixture
def base(company: Company) -> str:
    return f"/api/v1/workspaces/{company.workspace.pk}"


def call(method: str, address: str, headers: dict[str, str] | None, body: Any = None) -> Any:
    return Client().generic(
        method,
        address,
        b"" if body is None else __import__("json").dumps(body),
        "application/json",
        headers=headers or {},
    )


def operations(channel: Channel, message: Message) -> list[tuple[str, str, Any, str]]:
    return [
        ("GET", "/channels", None, "read"),
        ("POST", "/channels", {"name": "plans"}, "write"),
        ("PATCH", f"/channels/{channel.pk}", {"purpose": "x"}, "write"),
        ("GET", f"/channels/{channel.pk}/topics", None, "read"),
        ("GET", f"/channels/{channel.pk}/messages", None, "read"),
        ("POST", f"/channels/{channel.pk}/messages", {"text": "x"}, "write"),
        ("POST", f"/channels/{channel.pk}/read", {"number": 1}, "write"),
        ("GET", f"/messages/{message.pk}", None, "read"),
        ("PATCH", f"/messages/{message.pk}", {"text": "new"}, "write"),
        ("POST", f"/messages/{message.pk}/reactions", {"emoji": "👍"}, "write"),
        ("GET", "/messages?q=first", None, "read"),
        ("DELETE", f"/messages/{message.pk}", None, "write"),
    ]


def test_opens_every_operation_to_the_right_key_only(
    company: Company, base: str, channel: Channel, messages: list[Message], api_key: Headers
):
    elsewhere = api_key(company.stranger, "read", "write", "admin")
    Membership = type(company.workspace.memberships.first())
    Membership.objects.filter(user=company.member).update(role="maintainer")
    for method, path, body, scope in operations(channel, messages[0]):
        other_scope = "run" if scope == "read" else "read"
        assert call(method, base + path, None, body).status_code == 401, path
        assert call(method, base + path, elsewhere, body).status_code == 404, path
        assert call(method, base + path, api_key(company.member, other_scope), body).status_code == 403, path
        reply = call(method, base + path, api_key(company.member, scope), body)
        assert reply.status_code in (200, 201, 204), f"{method} {path}: {reply.content!r}"


def test_posts_once_and_says_what_it_started(company: Company, base: str, channel: Channel, api_key: Headers):
    key = api_key(company.member, "write", "run")
    body = {"text": "@tidy clean up", "topic": "parser", "client_id": "c1"}
    first = call("POST", f"{base}/channels/{channel.pk}/messages", key, body).json()
    again = call("POST", f"{base}/channels/{channel.pk}/messages", key, body).json()
    assert first["message"]["id"] == again["message"]["id"]
    assert len(first["run_ids"]) == 1
    assert (first["message"]["topic"], first["message"]["number"]) == ("parser", 1)


def test_reads_by_cursor(
    company: Company, base: str, channel: Channel, messages: list[Message], api_key: Headers
):
    key = api_key(company.viewer, "read")
    address = f"{base}/channels/{channel.pk}/messages"
    page = call("GET", f"{address}?limit=2", key).json()
    assert ([m["number"] for m in page["messages"]], page["has_older"], page["has_newer"]) == (
        [2, 3],
        True,
        False,
    )
    page = call("GET", f"{address}?before=2", key).json()
    assert ([m["number"] for m in page["messages"]], page["has_older"]) == ([1], False)
    page = call("GET", f"{address}?after=0&topic_id={messages[0].topic_id}", key).json()
    assert [m["text"] for m in page["messages"]] == ["first", "second"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "before=0",
        "after=-1",
        "before=1&after=1",
        "before=x",
        "topic_id=99999999999999999999",
    ],
)
def test_refuses_cursors_that_make_no_sense(
    company: Company, base: str, channel: Channel, api_key: Headers, query: str
):
    reply = call("GET", f"{base}/channels/{channel.pk}/messages?{query}", api_key(company.viewer, "read"))
    assert reply.status_code == 422
    assert reply.json()["error"]["code"] == "invalid"


def test_lets_nobody_change_the_words_of_another(
    company: Company, base: str, messages: list[Message], api_key: Headers
):
    address = f"{base}/messages/{messages[0].pk}"
    for person in (company.viewer, company.owner):
        assert call("PATCH", address, api_key(person, "write"), {"text": "x"}).status_code == 403
    assert call("DELETE", address, api_key(company.viewer, "write")).status_code == 403
    assert call("DELETE", address, api_key(company.maintainer, "write")).status_code == 204
    assert call("GET", address, api_key(company.viewer, "read")).status_code == 404


def test_binds_a_key_to_its_workspace(company: Company, base: str, api_key: Headers):
    from webapp.workspaces.models import Workspace

    other = Workspace.objects.get(name="Elsewhere")
    assert (
        call(
            "GET", f"{base}/channels", api_key(company.member, "read", workspace=company.workspace)
        ).status_code
        == 200
    )
    assert (
        call("GET", f"{base}/channels", api_key(company.member, "read", workspace=other)).status_code == 404
    )


def test_names_a_taken_channel_a_conflict(company: Company, base: str, api_key: Headers):
    reply = call("POST", f"{base}/channels", api_key(company.member, "write"), {"name": "general"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "conflict")


def test_a_client_id_gives_no_message_of_another_channel_away(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    elsewhere = company.stranger.memberships.get().workspace
    company.member.memberships.create(workspace=elsewhere, role="member")
    secret = post_message(
        workspace=elsewhere,
        channel=elsewhere.channels.get(),
        author=company.member,
        text="canary",
        client_id="c1",
    )
    url = f"/api/v1/workspaces/{company.workspace.pk}/channels/{company.workspace.channels.get().pk}/messages"
    headers = api_key(company.member, "write", workspace=company.workspace)
    reply = company.client(None).post(
        url, {"text": "hi", "client_id": "c1"}, content_type="application/json", headers=headers
    )
    assert reply.status_code == 409
    assert "canary" not in reply.content.decode()
    assert secret.message.pk


def test_completes_mentions(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    url = f"/api/v1/workspaces/{company.workspace.pk}/mentions?q="
    client = company.client(None)
    found = client.get(f"{url}mi", headers=api_key(company.viewer, "read")).json()
    assert found == [{"kind": "person", "handle": "mia", "name": "Mia"}]
    assert {"kind", "handle", "name"} == client.get(
        f"{url}ti", headers=api_key(company.viewer, "read")
    ).json()[0].keys()
    assert client.get(f"{url}stan", headers=api_key(company.viewer, "read")).json() == []
