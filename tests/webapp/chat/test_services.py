"""Posting, calling agents, editing, deleting, reacting, reading."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from tests.framework.people import Company
from tests.webapp.chat.conftest import Say
from webapp.agents.models import Run
from webapp.chat import selectors, services
from webapp.chat.models import Channel, Message, Reaction, Topic
from webapp.errors import Conflict, Forbidden, Invalid
from webapp.events.registry import run_queued
from webapp.workspaces.access import workspace_for


def test_numbers_messages_without_a_gap_and_keeps_topics(
    company: Company, channel: Channel, messages: list[Message]
):
    assert [m.number for m in messages] == [1, 2, 3]
    channel.refresh_from_db()
    assert channel.last_number == 3
    assert list(Topic.objects.values_list("name", "last_number")) == [("general", 3), ("release", 2)]


def test_posts_once_however_often_it_is_sent(company: Company, say: Say):
    first = say(company.member, "hi", client_id="c-1")
    again = say(company.member, "hi", client_id="c-1")
    other = say(company.viewer, "hi", client_id="c-1")
    assert first.message.pk == again.message.pk != other.message.pk
    assert Message.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_posts_once_when_two_connections_send_at_once(company: Company, say: Say):
    found: list[int] = []

    def send() -> None:
        try:
            found.append(say(company.member, "hi", client_id="c-1").message.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1 == Message.objects.count()


@pytest.mark.django_db(transaction=True)
def test_leaves_no_gap_and_no_double_number_when_many_post_at_once(company: Company, say: Say):
    def send(person: object, count: int) -> None:
        try:
            for number in range(count):
                say(person, f"{number}")
        finally:
            connection.close()

    threads = [
        threading.Thread(target=send, args=(p, 10)) for p in (company.owner, company.member, company.viewer)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(Message.objects.order_by("pk").values_list("number", flat=True)) == list(range(1, 31))


@pytest.mark.parametrize("text", ["", "  \n\t ", "x" * 20_001])
def test_refuses_nothing_and_too_much(company: Company, say: Say, text: str):
    with pytest.raises(Invalid):
        say(company.member, text)


def test_keeps_what_a_database_cannot_hold(company: Company, say: Say):
    message = say(company.member, "a\x00b\ud800c\r\nd", topic=" two\n  words\x00 ").message
    message.refresh_from_db()
    assert message.text == "a\ufffdb?c\nd"
    assert message.topic.name == "two words"


def test_refuses_an_archived_channel(company: Company, channel: Channel, say: Say):
    services.change_channel(channel=channel, is_archived=True)
    with pytest.raises(Forbidden):
        say(company.member, "hi")


def test_notes_who_is_mentioned(company: Company, say: Say):
    message = say(company.member, "@vera and @stan, `@max`").message
    assert [mention.user for mention in message.mentions.all()] == [company.viewer]
    services.edit_message(workspace=company.workspace, message=message, text="@max")
    assert [mention.user for mention in message.mentions.all()] == [company.maintainer]


# --- agents ------------------------------------------------------------------------------------------------------------


def test_calls_an_agent_and_shows_its_card_in_the_topic(company: Company, say: Say):
    say(company.viewer, "it fails since yesterday", topic="parser")
    posted = say(company.member, "@tidy, clean up parser.py", topic="parser")
    [run] = posted.runs
    assert (run.agent, run.goal, run.requested_by) == ("tidy", "clean up parser.py", company.member)
    assert run.job["conversation"] == [{"author": "Vera", "text": "it fails since yesterday"}]
    card = Message.objects.get(run=run)
    assert (card.topic.name, card.agent, card.author, card.number) == ("parser", "tidy", None, 3)


def test_calls_an_agent_named_anywhere_but_in_code_and_each_once(company: Company, say: Say):
    posted = say(company.member, "please @tidy look, @TIDY\n```\n@coder\n```\n`@coder`")
    assert [run.agent for run in posted.runs] == ["tidy"]
    assert posted.runs[0].goal.startswith("please @tidy look")


def test_tells_who_calls_a_name_that_nobody_has(company: Company, say: Say):
    assert say(company.member, "@tidyy please").notices == [
        "Your message is posted, but nobody here is called @tidyy."
    ]
    assert say(company.member, f"@{company.viewer.handle} please").notices == []
    assert say(company.member, "what does @dataclass do").notices == []


def test_lets_a_viewer_talk_of_agents_without_calling_them(company: Company, say: Say):
    posted = say(company.viewer, "@tidy is nice")
    assert posted.runs == []
    assert "member" in posted.notices[0]
    assert Run.objects.count() == 0


def test_lets_a_key_without_the_scope_run_call_nobody(company: Company, say: Say):
    company.member.key_scopes = frozenset({"write"})
    assert say(company.member, "@tidy clean up").runs == []
    company.member.key_scopes = frozenset({"write", "run"})
    assert len(say(company.member, "@tidy clean up").runs) == 1


def test_posts_nothing_when_the_agent_cannot_be_called(company: Company, say: Say):
    with pytest.raises(Invalid):
        say(company.member, "@coder")
    assert (Message.objects.count(), Run.objects.count()) == (0, 0)


def test_does_not_call_again_on_an_edit_or_a_repeat(company: Company, say: Say):
    posted = say(company.member, "@tidy clean up", client_id="c")
    say(company.member, "@tidy clean up", client_id="c")
    services.edit_message(workspace=company.workspace, message=posted.message, text="@tidy clean up more")
    assert Run.objects.count() == 1


def test_puts_the_card_of_a_repeated_run_where_the_first_stood(company: Company, say: Say):
    run = say(company.member, "@tidy clean up", topic="parser").runs[0]
    again = Run.objects.create(workspace=company.workspace, agent="tidy", goal="x", retry_of=run)
    run_queued(again)
    assert Message.objects.get(run=again).topic.name == "parser"


def test_puts_the_card_of_a_run_called_by_a_program_among_the_runs(company: Company):
    run = Run.objects.create(workspace=company.workspace, agent="tidy", goal="x")
    run_queued(run)
    card = Message.objects.get(run=run)
    assert (card.channel.name, card.topic.name) == ("general", "runs")


def test_tells_the_next_agent_what_the_last_one_answered(company: Company, say: Say):
    run = say(company.member, "@tidy clean up").runs[0]
    Run.objects.filter(pk=run.pk).update(answer="All clean.")
    next_run = say(company.member, "@tidy and now?").runs[0]
    assert next_run.job["conversation"][-1] == {"author": "@tidy", "text": "All clean."}


# --- changing ----------------------------------------------------------------------------------------------------------


def test_takes_the_words_of_a_deleted_message_away(company: Company, messages: list[Message]):
    message = messages[0]
    services.react(workspace=company.workspace, message=message, user=company.viewer, emoji="👍", is_on=True)
    services.delete_message(workspace=company.workspace, message=message)
    message.refresh_from_db()
    assert (message.text, message.html, message.number) == ("", "", 1)
    assert Reaction.objects.count() == 0
    assert selectors.search(workspace_for(company.member, company.workspace.pk), "first").messages == []


def test_reacts_once_and_takes_it_back_once(company: Company, messages: list[Message]):
    for _ in range(2):
        services.react(
            workspace=company.workspace, message=messages[0], user=company.viewer, emoji="👍", is_on=True
        )
    services.react(
        workspace=company.workspace, message=messages[0], user=company.member, emoji="👍", is_on=True
    )
    selectors.add_reactions(messages)
    [summary] = messages[0].reaction_summary
    assert (summary["count"], summary["user_ids"]) == (2, [company.viewer.pk, company.member.pk])
    for _ in range(2):
        services.react(
            workspace=company.workspace, message=messages[0], user=company.viewer, emoji="👍", is_on=False
        )
    assert Reaction.objects.count() == 1


@pytest.mark.parametrize("emoji", ["", "abc", "<b>", "👍 👍", "👍" * 17, '"', "a👍"])
def test_refuses_what_is_no_emoji(company: Company, messages: list[Message], emoji: str):
    with pytest.raises(Invalid):
        services.react(
            workspace=company.workspace, message=messages[0], user=company.viewer, emoji=emoji, is_on=True
        )


# --- channels and reading ----------------------------------------------------------------------------------------------


def test_makes_a_channel_and_refuses_a_second_of_its_name(company: Company):
    made = services.create_channel(workspace=company.workspace, name="#Release Notes", purpose="x")
    assert made.name == "release-notes"
    with pytest.raises(Conflict):
        services.create_channel(workspace=company.workspace, name="release-notes")
    with pytest.raises(Conflict):
        services.change_channel(channel=made, name="general")


@pytest.mark.parametrize("name", ["", "-x", "ä", "x" * 61, "a/b", "new", "../x", "<b>"])
def test_refuses_names_that_will_not_do(company: Company, name: str):
    with pytest.raises(Invalid):
        services.create_channel(workspace=company.workspace, name=name)


def test_counts_what_is_unread_for_each_person(company: Company, channel: Channel, messages: list[Message]):
    def unread(person: object) -> int:
        return selectors.channels_of(company.workspace, person).get(pk=channel.pk).unread

    assert (unread(company.owner), unread(company.member), unread(company.viewer)) == (3, 0, 1)
    assert services.mark_read(channel=channel, user=company.owner, number=2) == 1
    assert services.mark_read(channel=channel, user=company.owner, number=1) == 1, "a mark never goes back"
    assert unread(company.owner) == 1
    assert services.mark_read(channel=channel, user=company.owner, number=10**9) == 0


def test_searches_words_people_channels_and_topics(company: Company, say: Say, messages: list[Message]):
    other = services.create_channel(workspace=company.workspace, name="other")
    say(company.owner, "first in other", channel=other, topic="plans")

    def found(query: str, **options: int) -> list[str]:
        return [m.text for m in selectors.search(company.workspace, query, **options).messages]

    assert found("first") == ["first in other", "first"]
    assert found("FIRST other") == ["first in other"]
    assert found("from:@mia") == ["third **bold**", "first"]
    assert found("channel:#other") == ["first in other"]
    assert found("topic:rel first") == ["first"]
    assert found("100%_\\") == []
    page = selectors.search(company.workspace, "first", limit=1)
    assert [
        m.text for m in selectors.search(company.workspace, "first", before=page.next_before).messages
    ] == ["first"]
    with pytest.raises(Invalid):
        selectors.search(company.workspace, "  ")


def test_finds_no_message_of_another_workspace(company: Company, say: Say, messages: list[Message]):
    from webapp.workspaces.models import Workspace

    assert selectors.search(Workspace.objects.get(name="Elsewhere"), "first").messages == []


def test_pages_through_history_in_both_directions(company: Company, channel: Channel, say: Say):
    for number in range(1, 121):
        say(company.member, str(number), topic="even" if number % 2 == 0 else "odd")
    latest = selectors.latest_page(channel)
    assert (latest.first_number, latest.last_number, latest.has_older) == (71, 120, True)
    older = selectors.page_before(channel, latest.first_number)
    assert (older.first_number, older.last_number, older.has_older) == (21, 70, True)
    assert not selectors.page_before(channel, older.first_number).has_older
    after = selectors.page_after(channel, 100)
    assert ([m.number for m in after.messages], after.has_newer) == (list(range(101, 121)), False)
    around = selectors.page_around(channel, 60)
    assert 60 in [m.number for m in around.messages]
    assert around.has_older
    assert around.has_newer
    even = selectors.latest_page(channel, Topic.objects.get(name="even"), limit=10)
    assert [m.number for m in even.messages] == list(range(102, 121, 2))


def test_offers_agents_and_members_for_completion(company: Company):
    def offered(query: str) -> list[str]:
        return [one["handle"] for one in selectors.mentionable(company.owner, company.workspace, query)]

    assert offered("m") == ["max", "mia"]
    assert offered("ti") == ["tidy"]
    assert {"coder", "explainer", "reviewer", "scribe", "tester", "tidy"} <= set(offered(""))
    assert offered("")[-4:] == ["max", "mia", "olga", "vera"]
    assert "stan" not in offered("s")
