"""Reads about channels, topics, messages and what is unread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from webapp.accounts.models import User
from webapp.agents.definitions import suggested_agents
from webapp.agents.models import Run
from webapp.agents.selectors import CARD_RELATED
from webapp.chat.models import Channel, Message, Reaction, ReadMark, Topic
from webapp.errors import Invalid
from webapp.workspaces.models import Workspace

PAGE_SIZE = 50
# Smaller, as it is put in while somebody scrolls: a browser lays out thirty messages within a frame or two.
HISTORY_SIZE = 30
MAX_PAGE_SIZE = 200
TOPICS_SHOWN = 40
PEOPLE_SHOWN = 4
CONVERSATION_MESSAGES = 30
SUMMED_MESSAGES = 500
SUMMED_CHARS = 200_000
SUMMED_MESSAGE_CHARS = 4_000
# Messages of one author within this time stand under one head.
TOGETHER = timedelta(minutes=5)
# A change is stamped before it commits: what was stamped this long before a page was read may have been missing in it.
COMMIT_TIME = timedelta(seconds=30)


# --- channels and topics -----------------------------------------------------------------------------------------------


def channels_of(workspace: Workspace, user: User) -> QuerySet[Channel]:
    """Return the channels, by name, each with `last_read` (number of the last message that the person has read) and `unread`."""
    mark = ReadMark.objects.filter(channel=OuterRef("pk"), user=user).values("last_read_number")
    rows = Channel.objects.filter(workspace=workspace).annotate(last_read=Coalesce(Subquery(mark), 0))
    return rows.annotate(unread=F("last_number") - F("last_read"))


def archived_channels(workspace: Workspace) -> list[Channel]:
    """Return the channels that the rail no longer shows, by name."""
    return list(Channel.objects.filter(workspace=workspace, is_archived=True).order_by("name"))


def first_channel(workspace: Workspace) -> Channel | None:
    """Return the channel that opens first: the oldest one that is not archived."""
    return Channel.objects.filter(workspace=workspace).order_by("is_archived", "pk").first()


def topics_of(channel: Channel, *, limit: int = TOPICS_SHOWN) -> list[Topic]:
    """Return the channel's topics, the liveliest first."""
    return list(Topic.objects.filter(channel=channel)[:limit])


def last_read(channel: Channel, user: User) -> int:
    """Return the number of the last message that the person has read; 0 for none."""
    mark = (
        ReadMark.objects.filter(channel=channel, user=user).values_list("last_read_number", flat=True).first()
    )
    return mark or 0


# --- messages ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in order, and whether there are older and newer ones."""

    messages: list[Message]
    has_older: bool
    has_newer: bool

    @property
    def first_number(self) -> int:
        """Number of the oldest message; 0 when there is none."""
        return self.messages[0].number if self.messages else 0

    @property
    def last_number(self) -> int:
        """Number of the newest message; 0 when there is none."""
        return self.messages[-1].number if self.messages else 0


def _messages(channel: Channel, topic: Topic | None) -> QuerySet[Message]:
    rows = Message.objects.filter(channel=channel).defer("text")
    return rows.filter(topic=topic) if topic else rows


def _with_relations(messages: list[Message]) -> list[Message]:
    """Return the messages with authors, topics, channels and runs: each fetched once, where joins would make one per message."""
    authors = User.objects.in_bulk({m.author_id for m in messages if m.author_id})
    topics = Topic.objects.select_related("channel").in_bulk({m.topic_id for m in messages})
    run_ids = {m.run_id for m in messages if m.run_id}
    runs = Run.objects.select_related(*CARD_RELATED).defer("job").in_bulk(run_ids) if run_ids else {}
    for message in messages:
        message.author = authors.get(message.author_id) if message.author_id else None
        message.topic = topics[message.topic_id]
        message.channel = message.topic.channel
        message.run = runs.get(message.run_id) if message.run_id else None
    return messages


def latest_page(channel: Channel, topic: Topic | None = None, *, limit: int = PAGE_SIZE) -> Page:
    """Return the newest messages."""
    rows = list(_messages(channel, topic).order_by("-number")[: limit + 1])
    return Page(_with_relations(rows[:limit][::-1]), len(rows) > limit, False)


def page_before(channel: Channel, number: int, topic: Topic | None = None, *, limit: int = PAGE_SIZE) -> Page:
    """Return the messages right before message `number`."""
    rows = list(_messages(channel, topic).filter(number__lt=number).order_by("-number")[: limit + 1])
    return Page(_with_relations(rows[:limit][::-1]), len(rows) > limit, True)


def page_after(channel: Channel, number: int, topic: Topic | None = None, *, limit: int = PAGE_SIZE) -> Page:
    """Return the messages right after message `number`."""
    rows = list(_messages(channel, topic).filter(number__gt=number).order_by("number")[: limit + 1])
    return Page(_with_relations(rows[:limit]), number > 0, len(rows) > limit)


def page_around(channel: Channel, number: int, topic: Topic | None = None, *, limit: int = PAGE_SIZE) -> Page:
    """Return message `number` with what stands before and after it."""
    half = limit // 2
    before = page_before(channel, number, topic, limit=half)
    after = page_after(channel, number - 1, topic, limit=half)
    return Page([*before.messages, *after.messages], before.has_older, after.has_newer)


def changed_since(channel: Channel, at: datetime, first: int, last: int) -> list[Message]:
    """Return the messages numbered `first` to `last` that were edited, deleted or reacted to since `at`."""
    rows = _messages(channel, None).filter(
        number__gte=first, number__lte=last, changed_at__gt=at - COMMIT_TIME
    )
    return _with_relations(list(rows.order_by("number")[:MAX_PAGE_SIZE]))


def conversation_before(message: Message) -> list[dict[str, str]]:
    """Return what was said in the topic before `message`, oldest first: `author` and `text` of each."""
    rows = (
        Message.objects.filter(topic_id=message.topic_id, number__lt=message.number, deleted_at=None)
        .select_related("author", "run")
        .order_by("-number")[:CONVERSATION_MESSAGES]
    )
    said = []
    for row in rows:
        text = row.run.answer if row.run else row.text
        if text:
            said.append({"author": f"@{row.agent}" if row.agent else author_name(row), "text": text})
    return said[::-1]


def messages_to_sum_up(channel: Channel, topic: Topic | None) -> list[dict[str, str]]:
    """Return the newest messages of a channel, or of one topic in it, oldest first, within `SUMMED_MESSAGES` and `SUMMED_CHARS`.

    Each with id, number, author, text, at, topic and place (what is summed up, in words). Left out are what was deleted, runs
    without an answer, summaries and calls for them.
    """
    place = f"#{channel.name}" + (f", topic {topic.name}" if topic else "")
    rows = Message.objects.filter(channel=channel, deleted_at=None).exclude(agent="scribe")
    rows = rows.filter(topic=topic) if topic else rows
    found: list[dict[str, str]] = []
    left = SUMMED_CHARS
    for row in rows.select_related("author", "run", "topic").order_by("-number")[:SUMMED_MESSAGES]:
        text = (row.run.answer if row.run else row.text).strip()[:SUMMED_MESSAGE_CHARS]
        if not text or text.lower().startswith("@scribe"):
            continue
        left -= len(text)
        if left < 0:
            break
        found.append(
            {
                "id": str(row.pk),
                "number": str(row.number),
                "author": f"@{row.agent}" if row.agent else author_name(row),
                "text": text,
                "at": row.created_at.isoformat(timespec="minutes"),
                "topic": row.topic.name,
                "place": place,
            }
        )
    return found[::-1]


def author_name(message: Message) -> str:
    """Return the name to show for who wrote the message."""
    if message.agent:
        return message.agent
    return message.author.display_name if message.author else "Former member"


def add_reactions(messages: Sequence[Message]) -> None:
    """Give each message `reaction_summary`: a list of emoji, count, user_ids and names, in the order they were put."""
    found: dict[int, dict[str, list[User]]] = defaultdict(lambda: defaultdict(list))
    rows = (
        Reaction.objects.filter(message__in=[message.pk for message in messages])
        .select_related("user")
        .order_by("pk")
    )
    for row in rows:
        found[row.message_id][row.emoji].append(row.user)
    for message in messages:
        message.reaction_summary = [  # type: ignore[attr-defined]
            {
                "emoji": emoji,
                "count": len(users),
                "user_ids": [user.pk for user in users],
                "names": [user.display_name for user in users],
            }
            for emoji, users in found[message.pk].items()
        ]


def arrange(messages: Iterable[Message], *, unread_after: int | None = None) -> None:
    """Say of each message how it stands in its row: `is_continued` (no head of its own), `is_new_topic`, `is_first_unread`."""
    previous: Message | None = None
    for message in messages:
        is_new_topic = previous is None or previous.topic_id != message.topic_id
        message.is_new_topic = is_new_topic  # type: ignore[attr-defined]
        message.is_continued = not is_new_topic and previous is not None and _goes_together(previous, message)  # type: ignore[attr-defined]
        message.is_first_unread = unread_after is not None and message.number == unread_after + 1  # type: ignore[attr-defined]
        previous = message


def _goes_together(first: Message, second: Message) -> bool:
    is_same = first.author_id is not None and first.author_id == second.author_id
    return is_same and not first.run_id and second.created_at - first.created_at <= TOGETHER


# --- people ------------------------------------------------------------------------------------------------------------


def people_by_handle(workspace: Workspace, handles: Collection[str]) -> dict[str, User]:
    """Return the members who have one of these handles (lower case), by handle."""
    if not handles:
        return {}
    rows = User.objects.filter(
        handle__in=list(handles)[:200], memberships__workspace=workspace, is_active=True
    )
    return {user.handle: user for user in rows}


def people_of(workspace: Workspace, *, limit: int = 50) -> list[Any]:
    """Return the workspace's people, by name, for the list of who is here: id, display_name, handle."""
    rows = User.objects.filter(memberships__workspace=workspace, is_active=True).order_by(
        "display_name", "pk"
    )
    return list(rows.values("id", "display_name", "handle")[:limit])


def mentionable(
    user: User | AnonymousUser, workspace: Workspace, query: str, *, limit: int = 12
) -> list[dict[str, Any]]:
    """Return people and agents whose handle or name begins with `query`: kind, handle, name.

    Agents come first, and of them who does best in this workspace; however many there are, a few people have their place.
    """
    query = query.lower()
    agents = [
        {"kind": "agent", "handle": agent.name, "name": agent.description}
        for agent in suggested_agents(user, workspace)
        if agent.name.startswith(query)
    ]
    people = User.objects.filter(memberships__workspace=workspace, is_active=True).order_by("handle")
    matching = people.filter(handle__startswith=query) | people.filter(display_name__istartswith=query)
    named = [
        {"kind": "person", "handle": user.handle, "name": user.display_name}
        for user in matching.distinct()[:limit]
    ]
    room = limit - min(len(named), PEOPLE_SHOWN)
    return [*agents[:room], *named][:limit]


# --- search ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Messages found, newest first, and the cursor of the next page (0 for none)."""

    messages: list[Message]
    next_before: int


def search(workspace: Workspace, query: str, *, before: int = 0, limit: int = 30) -> SearchPage:
    """Return messages that hold every word of the query; `from:`, `channel:` and `topic:` narrow it down.

    Raises:
        Invalid: the query is empty or too long.
    """
    words = query.replace("\x00", "").split()
    if not words or len(query) > 200:
        raise Invalid("Search for one word or more, in 200 characters at most.")
    rows = Message.objects.filter(channel__workspace=workspace, deleted_at=None)
    for word in words:
        name, colon, value = word.partition(":")
        if colon and value and name == "from":
            value = value.lstrip("@").lower()
            rows = rows.filter(author__handle=value) | rows.filter(agent=value)
        elif colon and value and name == "channel":
            rows = rows.filter(channel__name=value.lstrip("#").lower())
        elif colon and value and name == "topic":
            rows = rows.filter(topic__name__icontains=value)
        else:
            rows = rows.filter(text__icontains=word)
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: limit + 1])
    return SearchPage(_with_relations(found[:limit]), found[limit - 1].pk if len(found) > limit else 0)
