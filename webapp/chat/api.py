"""Channels and messages over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from webapp.accounts.access import require_scope
from webapp.accounts.models import User
from webapp.api import Body, ErrorReply
from webapp.chat import access, selectors, services
from webapp.chat.models import Channel, Message, Topic
from webapp.errors import Invalid
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role, Workspace

router = Router(tags=["chat"])
READ_ERRORS: dict[Any, Any] = {401: ErrorReply, 403: ErrorReply, 404: ErrorReply, 422: ErrorReply}
WRITE_ERRORS: dict[Any, Any] = {**READ_ERRORS, 409: ErrorReply}
BIGGEST_ID = 2**63 - 1
BIGGEST_NUMBER = 2**31 - 1


class ChannelOut(Schema):
    """A channel, and how much of it the caller has not read."""

    id: int
    name: str = Field(examples=["general"])
    purpose: str
    is_archived: bool
    last_number: int
    unread: int
    created_at: datetime


class ChannelIn(Body):
    """A new channel."""

    name: str = Field(min_length=1, max_length=60, examples=["releases"])
    purpose: str = Field("", max_length=250)


class ChannelChange(Body):
    """What is to change; what is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=60, examples=["releases"])
    purpose: str | None = Field(None, max_length=250)
    is_archived: bool | None = None


class TopicOut(Schema):
    """A topic of a channel."""

    id: int
    name: str = Field(examples=["release 1.0"])
    last_number: int


class ReactionOut(Schema):
    """An emoji on a message, and whose."""

    emoji: str = Field(examples=["👍"])
    user_ids: list[int]


class MessageOut(Schema):
    """A message. `author_id` is null for agents and former members; `run_id` names the run whose card it shows."""

    id: int
    channel_id: int
    topic_id: int
    topic: str
    number: int
    author_id: int | None
    author: str
    agent: str
    text: str = Field(examples=["@tidy please clean up parser.py"])
    html: str
    run_id: str | None
    reactions: list[ReactionOut]
    created_at: datetime
    edited_at: datetime | None
    is_deleted: bool


class MessagesOut(Schema):
    """Messages in order, and whether there are more on either side."""

    messages: list[MessageOut]
    has_older: bool
    has_newer: bool


class MessageIn(Body):
    """Something to say. Sending it again with the same `client_id` posts nothing twice."""

    text: str = Field(min_length=1, max_length=20_000, examples=["@tidy please clean up parser.py"])
    topic: str = Field("", max_length=80, examples=["clean-up"])
    client_id: str = Field("", max_length=64)


class PostedOut(Schema):
    """The message, the runs it started, and what its author should know."""

    message: MessageOut
    run_ids: list[str]
    notices: list[str]


class MessageChange(Body):
    """The message's new text."""

    text: str = Field(min_length=1, max_length=20_000, examples=["@tidy please clean up parser.py"])


class ReactionIn(Body):
    """An emoji to put on a message, or to take off."""

    emoji: str = Field(min_length=1, max_length=16, examples=["👍"])
    is_on: bool = True


class ReadIn(Body):
    """Number of the last message that was read."""

    number: int = Field(ge=0, le=BIGGEST_NUMBER, examples=[42])


class ReadOut(Schema):
    """How many messages are unread now."""

    unread: int


class MentionableOut(Schema):
    """Somebody who can be named with `@`."""

    kind: Literal["agent", "person"]
    handle: str = Field(examples=["tidy"])
    name: str


class SearchOut(Schema):
    """Messages found, newest first; `next_before` is the cursor of the next page, null for none."""

    messages: list[MessageOut]
    next_before: int | None


class MessagesQuery(Schema):
    """Which messages: right before `before`, right after `after`, or the newest."""

    before: int | None = Field(None, ge=1, le=BIGGEST_NUMBER)
    after: int | None = Field(None, ge=0, le=BIGGEST_NUMBER)
    topic_id: int | None = Field(None, ge=1, le=BIGGEST_ID)
    limit: int = Field(50, ge=1, le=selectors.MAX_PAGE_SIZE)


def _messages_out(messages: list[Message]) -> list[dict[str, Any]]:
    selectors.add_reactions(messages)
    return [_message_out(message) for message in messages]


def _message_out(message: Message) -> dict[str, Any]:
    return {
        "id": message.pk,
        "channel_id": message.channel_id,
        "topic_id": message.topic_id,
        "topic": message.topic.name,
        "number": message.number,
        "author_id": message.author_id,
        "author": selectors.author_name(message),
        "agent": message.agent,
        "text": message.text,
        "html": message.html,
        "run_id": str(message.run_id) if message.run_id else None,
        "reactions": message.reaction_summary,  # type: ignore[attr-defined]
        "created_at": message.created_at,
        "edited_at": message.edited_at,
        "is_deleted": message.deleted_at is not None,
    }


def _enter(
    request: HttpRequest, workspace_id: int, scope: str, *, role: str = Role.VIEWER
) -> tuple[User, Workspace]:
    user = require_scope(request, scope)
    return user, workspace_for(user, workspace_id, role=role)


def _channel(
    request: HttpRequest, workspace_id: int, channel_id: int, scope: str
) -> tuple[User, Workspace, Channel]:
    user, workspace = _enter(request, workspace_id, scope)
    return user, workspace, access.channel_in(workspace, channel_id)


@router.get(
    "/{int:workspace_id}/channels", response={200: list[ChannelOut], **READ_ERRORS}, summary="List channels"
)
def list_channels(request: HttpRequest, workspace_id: int) -> Any:
    """Return all channels of the workspace, archived ones too, by name."""
    user, workspace = _enter(request, workspace_id, "read")
    return list(selectors.channels_of(workspace, user))


@router.post(
    "/{int:workspace_id}/channels", response={201: ChannelOut, **WRITE_ERRORS}, summary="Create a channel"
)
def create_channel(request: HttpRequest, workspace_id: int, body: ChannelIn) -> Any:
    """Return the new channel. Needs the role member."""
    _, workspace = _enter(request, workspace_id, "write", role=Role.MEMBER)
    channel: Any = services.create_channel(workspace=workspace, name=body.name, purpose=body.purpose)
    channel.unread = 0
    return Status(201, channel)


@router.patch(
    "/{int:workspace_id}/channels/{int:channel_id}",
    response={200: ChannelOut, **WRITE_ERRORS},
    summary="Change or archive a channel",
)
def change_channel(request: HttpRequest, workspace_id: int, channel_id: int, body: ChannelChange) -> Any:
    """Return the channel as it is now. Needs the role maintainer."""
    user, workspace = _enter(request, workspace_id, "write", role=Role.MAINTAINER)
    channel = access.channel_in(workspace, channel_id)
    services.change_channel(channel=channel, **body.dict(exclude_unset=True))
    return selectors.channels_of(workspace, user).get(pk=channel.pk)


@router.get(
    "/{int:workspace_id}/channels/{int:channel_id}/topics",
    response={200: list[TopicOut], **READ_ERRORS},
    summary="List topics",
)
def list_topics(request: HttpRequest, workspace_id: int, channel_id: int) -> list[Topic]:
    """Return the channel's topics, the liveliest first, 100 at most."""
    _, _, channel = _channel(request, workspace_id, channel_id, "read")
    return selectors.topics_of(channel)


@router.get(
    "/{int:workspace_id}/channels/{int:channel_id}/messages",
    response={200: MessagesOut, **READ_ERRORS},
    summary="Read messages",
)
def list_messages(
    request: HttpRequest, workspace_id: int, channel_id: int, query: Query[MessagesQuery]
) -> Any:
    """Return the newest messages, or those right before or after a number; the cursor is the message's `number`."""
    _, _, channel = _channel(request, workspace_id, channel_id, "read")
    if query.before is not None and query.after is not None:
        raise Invalid("Give `before` or `after`, not both.")
    topic = access.topic_in(channel, query.topic_id) if query.topic_id else None
    if query.before is not None:
        page = selectors.page_before(channel, query.before, topic, limit=query.limit)
    elif query.after is not None:
        page = selectors.page_after(channel, query.after, topic, limit=query.limit)
    else:
        page = selectors.latest_page(channel, topic, limit=query.limit)
    return {
        "messages": _messages_out(page.messages),
        "has_older": page.has_older,
        "has_newer": page.has_newer,
    }


@router.post(
    "/{int:workspace_id}/channels/{int:channel_id}/messages",
    response={201: PostedOut, **WRITE_ERRORS},
    summary="Post a message",
)
def post_message(request: HttpRequest, workspace_id: int, channel_id: int, body: MessageIn) -> Any:
    """Return the message. Agents named with `@` are called, when role and scope `run` allow."""
    user, workspace, channel = _channel(request, workspace_id, channel_id, "write")
    posted = services.post_message(
        workspace=workspace,
        channel=channel,
        author=user,
        text=body.text,
        topic=body.topic,
        client_id=body.client_id,
    )
    message = _messages_out([posted.message])[0]
    return Status(
        201, {"message": message, "run_ids": [str(run.pk) for run in posted.runs], "notices": posted.notices}
    )


@router.post(
    "/{int:workspace_id}/channels/{int:channel_id}/read",
    response={200: ReadOut, **READ_ERRORS},
    summary="Mark as read",
)
def mark_read(request: HttpRequest, workspace_id: int, channel_id: int, body: ReadIn) -> Any:
    """Note how far the caller has read; a mark never goes back."""
    user, _, channel = _channel(request, workspace_id, channel_id, "write")
    return {"unread": services.mark_read(channel=channel, user=user, number=body.number)}


@router.get(
    "/{int:workspace_id}/messages/{int:message_id}",
    response={200: MessageOut, **READ_ERRORS},
    summary="Read one message",
)
def get_message(request: HttpRequest, workspace_id: int, message_id: int) -> Any:
    """Return the message."""
    _, workspace = _enter(request, workspace_id, "read")
    return _messages_out([access.message_in(workspace, message_id)])[0]


@router.patch(
    "/{int:workspace_id}/messages/{int:message_id}",
    response={200: MessageOut, **WRITE_ERRORS},
    summary="Edit a message",
)
def edit_message(request: HttpRequest, workspace_id: int, message_id: int, body: MessageChange) -> Any:
    """Return the caller's own message with its new text. Agents are not called again."""
    user, workspace = _enter(request, workspace_id, "write")
    message = access.own_message_in(user, workspace, message_id)
    return _messages_out([services.edit_message(workspace=workspace, message=message, text=body.text)])[0]


@router.delete(
    "/{int:workspace_id}/messages/{int:message_id}",
    response={204: None, **WRITE_ERRORS},
    summary="Delete a message",
)
def delete_message(request: HttpRequest, workspace_id: int, message_id: int) -> Any:
    """Take the words of the caller's own message away, or as a maintainer of anybody's."""
    user, workspace = _enter(request, workspace_id, "write")
    message = access.deletable_message_in(user, workspace, message_id)
    services.delete_message(workspace=workspace, message=message)
    return Status(204, None)


@router.post(
    "/{int:workspace_id}/messages/{int:message_id}/reactions",
    response={200: MessageOut, **WRITE_ERRORS},
    summary="React to a message",
)
def react(request: HttpRequest, workspace_id: int, message_id: int, body: ReactionIn) -> Any:
    """Return the message with the caller's emoji put on or taken off; doing it twice changes nothing."""
    user, workspace = _enter(request, workspace_id, "write")
    message = access.message_in(workspace, message_id)
    services.react(workspace=workspace, message=message, user=user, emoji=body.emoji, is_on=body.is_on)
    return _messages_out([message])[0]


@router.get(
    "/{int:workspace_id}/mentions",
    response={200: list[MentionableOut], **READ_ERRORS},
    summary="Complete a mention",
)
def mentions(
    request: HttpRequest, workspace_id: int, q: str = Query("", max_length=40, examples=["ad"])
) -> Any:
    """Return agents and people whose handle or name begins with `q`, eight at most."""
    _, workspace = _enter(request, workspace_id, "read")
    return selectors.mentionable(request.user, workspace, q)


@router.get(
    "/{int:workspace_id}/messages", response={200: SearchOut, **READ_ERRORS}, summary="Search messages"
)
def search(
    request: HttpRequest,
    workspace_id: int,
    q: str = Query(..., min_length=1, max_length=200, examples=["release from:ada"]),
    before: int | None = Query(None, ge=1, le=BIGGEST_ID),
) -> Any:
    """Return messages that hold every word; `from:`, `channel:` and `topic:` narrow it down."""
    _, workspace = _enter(request, workspace_id, "read")
    page = selectors.search(workspace, q, before=before or 0)
    return {"messages": _messages_out(page.messages), "next_before": page.next_before or None}
