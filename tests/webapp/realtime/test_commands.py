"""Commands over the socket: validated, counted, answered."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.framework.people import Company
from tests.framework.web import Web
from webapp.chat.models import Channel, Message
from webapp.errors import Conflict, TooMany
from webapp.events import registry
from webapp.realtime import dispatch
from webapp.realtime.dispatch import run_command
from webapp.workspaces.models import Membership, Workspace


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The registry, to add commands to for the length of a test; the counters start afresh."""
    registered = dict(registry._commands)
    monkeypatch.setattr(registry, "_commands", registered)
    dispatch._limiter.storage.reset()
    return registered


def echo(
    user: object, workspace: Workspace, *, number: int, words: list[str] | None = None
) -> dict[str, Any]:
    return {"number": number, "words": words, "role": workspace.role}  # type: ignore[attr-defined]


def test_calls_a_command_with_validated_arguments(company: Company, commands: dict[str, Any]):
    commands["test.echo"] = echo
    answer = run_command(company.viewer, company.workspace.pk, "test.echo", {"number": 4, "words": ["a"]})
    assert answer == {"ok": True, "data": {"number": 4, "words": ["a"], "role": "viewer"}}


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"number": "x"},
        {"number": 1, "more": 2},
        {"number": 1, "words": "a"},
        None,
        {"user": 1, "number": 1},
    ],
)
def test_refuses_arguments_that_do_not_fit(company: Company, commands: dict[str, Any], args: Any):
    commands["test.echo"] = echo
    answer = run_command(company.viewer, company.workspace.pk, "test.echo", args)
    assert answer["error"]["code"] == "invalid"
    assert answer["error"]["facts"]["fields"]


def test_asks_access_anew_for_every_command(company: Company, commands: dict[str, Any]):
    commands["test.echo"] = echo
    Membership.objects.filter(user=company.viewer).update(role="maintainer")
    assert (
        run_command(company.viewer, company.workspace.pk, "test.echo", {"number": 1})["data"]["role"]
        == "maintainer"
    )
    Membership.objects.filter(user=company.viewer).delete()
    answer = run_command(company.viewer, company.workspace.pk, "test.echo", {"number": 1})
    assert answer["error"]["code"] == "not_found"


def test_answers_known_errors_by_code_and_others_without_a_word_of_detail(
    company: Company, commands: dict[str, Any]
):
    def conflict(user: object, workspace: object) -> dict[str, Any]:
        raise Conflict("Somebody was faster.", version=3)

    def fault(user: object, workspace: object) -> dict[str, Any]:
        raise RuntimeError("a secret path")

    commands |= {"test.conflict": conflict, "test.fault": fault}
    error = run_command(company.viewer, company.workspace.pk, "test.conflict", {})["error"]
    assert (error["code"], error["retryable"], error["facts"]) == ("conflict", True, {"version": 3})
    error = run_command(company.viewer, company.workspace.pk, "test.fault", {})["error"]
    assert error["code"] == "internal_error"
    assert "secret" not in str(error)


def test_slows_down_who_is_too_fast_and_nobody_else(company: Company, commands: dict[str, Any]):
    commands["test.echo"] = echo
    allowed = 0
    for _ in range(100):
        answer = run_command(company.viewer, company.workspace.pk, "test.echo", {"number": 1})
        allowed += answer["ok"]
    assert 30 <= allowed <= 45
    assert answer["error"]["code"] == "too_many"
    assert answer["error"]["facts"]["retry_after_s"] >= 1
    assert run_command(company.member, company.workspace.pk, "test.echo", {"number": 1})["ok"]
    with pytest.raises(TooMany):
        for _ in range(100):
            dispatch.check_rate(company.viewer.pk)


@pytest.mark.django_db(transaction=True)
def test_posts_a_message_that_everybody_sees(company: Company, web: Web):
    channel = Channel.objects.get(workspace=company.workspace)
    mine = web.tab(company.client(company.member), company.workspace.pk)
    other = web.tab(company.client(company.viewer), company.workspace.pk)
    mine.hello()
    other.hello()
    started = time.perf_counter()
    reply = mine.command("chat.post_message", channel_id=channel.pk, text="**hi**", client_id="c-1")
    assert reply["ok"], reply
    seen = other.event("MessagePosted")
    assert time.perf_counter() - started < 1
    assert (seen["author_id"], seen["number"], seen["client_id"]) == (company.member.pk, 1, "c-1")
    assert "<strong>hi</strong>" in seen["html"]
    again = mine.command("chat.post_message", channel_id=channel.pk, text="**hi**", client_id="c-1")
    assert again["data"]["message_id"] == reply["data"]["message_id"]
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_keeps_the_order_of_messages_sent_at_once(company: Company, web: Web):
    channel = Channel.objects.get(workspace=company.workspace)
    tab = web.tab(company.client(company.member), company.workspace.pk)
    tab.hello()
    for number in range(20):
        args = {"channel_id": channel.pk, "text": str(number), "client_id": f"c-{number}"}
        tab.send(type="command", id=number, name="chat.post_message", args=args)
    tab.wait_for("reply", lambda m: m["id"] == 19, timeout_s=15)
    assert list(Message.objects.order_by("number").values_list("text", flat=True)) == [
        str(n) for n in range(20)
    ]


@pytest.mark.django_db(transaction=True)
def test_refuses_a_channel_of_another_workspace(company: Company, web: Web):
    elsewhere = Channel.objects.exclude(workspace=company.workspace).get()
    tab = web.tab(company.client(company.member), company.workspace.pk)
    tab.hello()
    reply = tab.command("chat.post_message", channel_id=elsewhere.pk, text="hi")
    assert (
        reply["error"]["code"]
        == tab.command("chat.post_message", channel_id=0, text="hi")["error"]["code"]
        == "not_found"
    )
