"""What a page may ask over the workspace socket."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from webapp.accounts.models import User
from webapp.chat import access, services
from webapp.events.registry import command
from webapp.workspaces.models import Workspace

Text = Annotated[str, Field(max_length=100_000)]
Short = Annotated[str, Field(max_length=200)]


@command("chat.post_message")
def post_message(
    user: User, workspace: Workspace, *, channel_id: int, text: Text, topic: Short = "", client_id: Short = ""
) -> dict[str, Any]:
    """Say something in a channel."""
    channel = access.channel_in(workspace, channel_id)
    posted = services.post_message(
        workspace=workspace, channel=channel, author=user, text=text, topic=topic, client_id=client_id
    )
    return {
        "message_id": posted.message.pk,
        "number": posted.message.number,
        "topic_id": posted.message.topic_id,
        "run_ids": [str(run.pk) for run in posted.runs],
        "notices": posted.notices,
    }


@command("chat.edit_message")
def edit_message(user: User, workspace: Workspace, *, message_id: int, text: Text) -> dict[str, Any]:
    """Change one's own message."""
    message = access.own_message_in(user, workspace, message_id)
    services.edit_message(workspace=workspace, message=message, text=text)
    return {}


@command("chat.delete_message")
def delete_message(user: User, workspace: Workspace, *, message_id: int) -> dict[str, Any]:
    """Delete one's own message, or as a maintainer anybody's."""
    services.delete_message(
        workspace=workspace, message=access.deletable_message_in(user, workspace, message_id)
    )
    return {}


@command("chat.react")
def react(
    user: User, workspace: Workspace, *, message_id: int, emoji: Short, is_on: bool = True
) -> dict[str, Any]:
    """Put an emoji on a message, or take it off."""
    message = access.message_in(workspace, message_id)
    services.react(workspace=workspace, message=message, user=user, emoji=emoji, is_on=is_on)
    return {}


@command("chat.mark_read")
def mark_read(user: User, workspace: Workspace, *, channel_id: int, number: int) -> dict[str, Any]:
    """Note how far one has read."""
    channel = access.channel_in(workspace, channel_id)
    return {"unread": services.mark_read(channel=channel, user=user, number=number)}


@command("chat.source")
def source(user: User, workspace: Workspace, *, message_id: int) -> dict[str, Any]:
    """Return the Markdown of one's own message, to edit it."""
    return {"text": access.own_message_in(user, workspace, message_id).text}
