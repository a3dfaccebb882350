"""A message takes its place in a channel, and the workspace is told."""

from __future__ import annotations

from webapp.chat import events
from webapp.chat.models import Channel, Message, Topic
from webapp.chat.rendering import message_html
from webapp.events.publish import publish_on_commit
from webapp.workspaces.models import Workspace

# A longer message is fetched by whoever shows it, so that it does not fill every reader's window.
MAX_EVENT_HTML = 64 * 1024


def add_message(channel: Channel, topic: Topic, message: Message) -> None:
    """Give the message the channel's next number and write it. The caller has locked the channel's row."""
    channel.last_number += 1
    message.channel, message.topic, message.number = channel, topic, channel.last_number
    message.save(force_insert=True)
    channel.save(update_fields=["last_number"])
    Topic.objects.filter(pk=topic.pk).update(last_number=message.number)


def announce_posted(workspace: Workspace, message: Message, mentioned_ids: list[int]) -> None:
    """Tell the workspace, once the transaction commits."""
    html = message_html(workspace, message)
    publish_on_commit(
        workspace.pk,
        events.MessagePosted(
            channel_id=message.channel_id,
            topic_id=message.topic_id,
            topic=message.topic.name,
            message_id=message.pk,
            number=message.number,
            client_id=message.client_id,
            author_id=message.author_id,
            agent=message.agent,
            mentioned_ids=mentioned_ids,
            run_id=str(message.run_id) if message.run_id else None,
            html=html if len(html) <= MAX_EVENT_HTML else "",
        ),
    )


def announce_changed(workspace: Workspace, message: Message) -> None:
    """Tell the workspace, once the transaction commits, how the message looks now."""
    html = message_html(workspace, message)
    publish_on_commit(
        workspace.pk,
        events.MessageChanged(
            channel_id=message.channel_id,
            message_id=message.pk,
            number=message.number,
            is_deleted=message.deleted_at is not None,
            html=html if len(html) <= MAX_EVENT_HTML else "",
        ),
    )
