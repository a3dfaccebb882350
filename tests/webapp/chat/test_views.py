"""The channel page and its pieces, for a member, a stranger and nobody."""

from __future__ import annotations

import re
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from tests.framework.people import Company
from tests.webapp.chat.conftest import Say
from webapp.chat.models import Channel, Message, ReadMark

PAGES = [
    "c/", "c/general/", "c/general/messages/", "c/general/messages/?after=1", "c/general/messages/?before=3", "c/general/topics/",
    "c/rail/", "c/mentions/?q=m", "search/", "search/?q=first", "m/{message}/",
]  # fmt: skip
FORMS = ["c/new/", "c/general/settings/"]


@pytest.mark.parametrize("page", PAGES)
def test_shows_pages_to_members_only(company: Company, messages: list[Message], page: str):
    address = f"/w/{company.workspace.pk}/" + page.format(message=messages[0].pk)
    assert company.client(company.viewer).get(address).status_code in (200, 302)
    assert company.client(company.stranger).get(address).status_code == 404
    nobody = company.client(None).get(address)
    assert nobody.status_code == 302
    assert "/accounts/login/" in nobody["Location"]


@pytest.mark.parametrize("form", FORMS)
def test_takes_forms_from_those_who_may(company: Company, form: str):
    address = f"/w/{company.workspace.pk}/{form}"
    data = {"name": "plans", "purpose": "x"}
    assert company.client(company.viewer).post(address, data).status_code == 403
    assert company.client(company.stranger).post(address, data).status_code == 404
    assert company.client(None).post(address, data).status_code == 302
    assert company.client(company.maintainer).post(address, data)["Location"].endswith("/c/plans/")


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("General", 409, "There is a channel #general already."),
        ("<b>", 422, "letters a–z"),
        ("x", 422, "250 characters"),
    ],
)
def test_the_dialog_for_a_new_channel_keeps_what_was_typed(
    company: Company, name: str, status: int, words: str
):
    purpose = "y" * 251 if name == "x" else "for <i>plans</i>"
    address, client = f"/w/{company.workspace.pk}/c/new/", company.client(company.member)
    reply = client.post(address, {"name": name, "purpose": purpose}, headers={"HX-Request": "true"})
    html = reply.content.decode()
    assert reply.status_code == status
    assert html.startswith("<form")
    assert words in html
    assert f'value="{escape(name)}"' in html
    assert f'value="{escape(purpose)}"' in html
    made = client.post(address, {"name": "plans"}, headers={"HX-Request": "true"})
    assert (made.status_code, made["HX-Redirect"]) == (204, f"/w/{company.workspace.pk}/c/plans/")


def test_answers_a_channel_elsewhere_like_none_at_all(company: Company):
    Channel.objects.filter(workspace__name="Elsewhere").update(name="secret")
    client = company.client(company.member)
    replies = [client.get(f"/w/{company.workspace.pk}/c/{name}/") for name in ("secret", "nothing")]
    assert [reply.status_code for reply in replies] == [404, 404]


def test_shows_messages_in_order_with_topics_heads_and_what_is_new(company: Company, messages: list[Message]):
    ReadMark.objects.create(channel=messages[0].channel, user=company.owner, last_read_number=1)
    html = company.client(company.owner).get(f"/w/{company.workspace.pk}/c/general/").content.decode()
    assert re.findall(r'data-number="(\d+)"', html) == ["1", "2", "3"]
    assert html.index('id="unread"') < html.index('data-number="2"')
    assert html.index('id="unread"') > html.index('data-number="1"')
    assert "<strong>bold</strong>" in html
    assert re.search(r'data-position="[0-9a-f]+:\d+"', html)


def test_puts_messages_of_one_author_under_one_head(company: Company, say: Say):
    for text in "ab":
        say(company.member, text)
    say(company.viewer, "c")
    html = company.client(company.viewer).get(f"/w/{company.workspace.pk}/c/general/").content.decode()
    classes = re.findall(r'<article class="(message[^"]*)"', html)
    assert ["is-continued" in one for one in classes] == [False, True, False]


def test_gives_history_and_what_changed(company: Company, say: Say, messages: list[Message]):
    client = company.client(company.viewer)
    address = f"/w/{company.workspace.pk}/c/general/messages/"
    reply = client.get(address, {"after": 1})
    assert re.findall(r'data-number="(\d+)"', reply.content.decode()) == ["2", "3"]
    assert (reply["X-Has-Older"], reply["X-Has-Newer"]) == ("1", "0")
    reply = client.get(address, {"before": 3})
    assert (reply["X-Has-Older"], reply["X-Has-Newer"]) == ("0", "1")
    reply = client.get(address, {"after": 3, "first": 1, "changed_since": time.time() - 5})
    changed = reply.content.decode().partition("<template data-changed>")[2]
    assert re.findall(r'data-number="(\d+)"', changed) == ["1", "2", "3"]
    reply = client.get(address, {"after": 3, "first": 1, "changed_since": time.time() + 100})
    assert "template" not in reply.content.decode()
    assert re.findall(r'data-number="(\d+)"', client.get(address, {"only": 2}).content.decode()) == ["2"]


@pytest.mark.parametrize(
    "query",
    ["before=x", "before=-1", "after=99999999999999999999", "topic=x", "before=²", "changed_since=x&after=1"],
)
def test_refuses_numbers_that_are_none(company: Company, query: str):
    for page in ("", "messages/"):
        reply = company.client(company.viewer).get(f"/w/{company.workspace.pk}/c/general/{page}?{query}")
        assert reply.status_code in (200, 422), f"{page}?{query}"
    assert reply.status_code == 422


def test_leads_to_a_message_where_it_stands(company: Company, messages: list[Message]):
    reply = company.client(company.viewer).get(f"/w/{company.workspace.pk}/m/{messages[1].pk}/")
    assert reply["Location"] == f"/w/{company.workspace.pk}/c/general/?near=2#m{messages[1].pk}"


def test_asks_the_database_no_more_for_more_messages(company: Company, say: Say):
    client = company.client(company.viewer)
    address = f"/w/{company.workspace.pk}/c/general/"
    for number in range(3):
        say(company.member, f"@tidy clean up {number}")
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(address)
    for number in range(20):
        say(company.member, f"@tidy clean up {number}" if number < 5 else f"{number}")
    with CaptureQueriesContext(connection) as many:
        client.get(address)
    assert len(many) <= len(few)


def test_says_in_the_rail_how_far_one_has_read(company: Company, messages: list[Message]):
    html = company.client(company.owner).get(f"/w/{company.workspace.pk}/c/rail/").content.decode()
    assert 'data-newest="3" data-read="0"' in html
    html = company.client(company.member).get(f"/w/{company.workspace.pk}/c/rail/").content.decode()
    assert 'data-newest="3" data-read="3"' in html


def test_escapes_names_topics_and_search(company: Company, channel: Channel, say: Say):
    evil = "<img src=x onerror=alert(1)>\"'"
    company.member.display_name = evil
    company.member.save()
    say(company.member, evil, topic=evil)
    client = company.client(company.viewer)
    for page in ("c/general/", "c/general/topics/", "search/?q=img", f"search/?q={evil}"):
        html = client.get(f"/w/{company.workspace.pk}/{page}").content.decode()
        assert "<img src=x" not in html, page
