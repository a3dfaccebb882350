"""Who may read, say and change what in the channels of a workspace. Every member talks; viewers call no agents."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from webapp.accounts.models import User
from webapp.chat.models import Channel, Message, Topic
from webapp.errors import Forbidden, NotFound
from webapp.workspaces.access import includes, workspace_for
from webapp.workspaces.models import Role, Workspace

Person = User | AnonymousUser


def channel_for(user: Person, workspace_id: int, name: str) -> tuple[Workspace, Channel]:
    """Return the workspace and its channel of this name.

    Raises:
        NotFound: there is none, or the person is not in the workspace.
    """
    workspace = workspace_for(user, workspace_id)
    channel = Channel.objects.filter(workspace=workspace, name=name).first()
    if channel is None:
        raise NotFound("There is no such channel.")
    return workspace, channel


def channel_in(workspace: Workspace, channel_id: int) -> Channel:
    """Return the channel of a workspace that `workspace_for` has let the person into.

    Raises:
        NotFound: it is not there.
    """
    channel = Channel.objects.filter(workspace=workspace, pk=channel_id).first()
    if channel is None:
        raise NotFound("There is no such channel.")
    return channel


def topic_in(channel: Channel, topic_id: int) -> Topic:
    """Return the topic of this channel.

    Raises:
        NotFound: it is not there.
    """
    topic = Topic.objects.filter(channel=channel, pk=topic_id).first()
    if topic is None:
        raise NotFound("There is no such topic.")
    return topic


def message_in(workspace: Workspace, message_id: int) -> Message:
    """Return a message of a workspace that `workspace_for` has let the person into.

    Raises:
        NotFound: it is not there, or was deleted.
    """
    message = (
        Message.objects.select_related("channel", "topic", "author")
        .filter(pk=message_id, channel__workspace=workspace, deleted_at=None)
        .first()
    )
    if message is None:
        raise NotFound("There is no such message.")
    return message


def own_message_in(user: User, workspace: Workspace, message_id: int) -> Message:
    """Return a message that the person wrote.

    Raises:
        NotFound: it is not there.
        Forbidden: somebody else wrote it.
    """
    message = message_in(workspace, message_id)
    if message.author_id != user.pk:
        raise Forbidden("Only who wrote a message can change it.")
    return message


def deletable_message_in(user: User, workspace: Workspace, message_id: int) -> Message:
    """Return a message that the person wrote, or any person's message for a maintainer. The card of a run stays.

    Raises:
        NotFound: it is not there.
        Forbidden: it is not theirs to delete.
    """
    message = message_in(workspace, message_id)
    is_maintainer = includes(workspace.role, Role.MAINTAINER)  # type: ignore[attr-defined]
    if message.author_id != user.pk and not (is_maintainer and message.author_id is not None):
        raise Forbidden("Only who wrote a message, or a maintainer, can delete it.")
    return message


def may_call_agents(user: Person, workspace: Workspace) -> bool:
    """Return whether the person whom `workspace_for` let in may call agents here; a key needs the scope `run` besides."""
    scopes = getattr(user, "key_scopes", None)
    return includes(workspace.role, Role.MEMBER) and (scopes is None or "run" in scopes)  # type: ignore[attr-defined]


def writable(channel: Channel) -> Channel:
    """Return the channel, when something can still be said in it.

    Raises:
        Forbidden: it is archived.
    """
    if channel.is_archived:
        raise Forbidden("This channel is archived; it can be read only.")
    return channel
