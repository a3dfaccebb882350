"""Channels come, change, and are read."""

from __future__ import annotations

import re

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from webapp.accounts.models import User
from webapp.chat import events
from webapp.chat.models import Channel, ReadMark
from webapp.errors import Conflict, Invalid
from webapp.events.publish import publish_on_commit, publish_to_person_on_commit
from webapp.workspaces.models import Workspace

FIRST_CHANNEL = "general"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
MAX_CHANNELS = 500
# Addresses beside the channels' own.
_TAKEN = {"new", "rail", "mentions"}


def clean_name(name: str) -> str:
    """Return the name as channels are called: lower case, words joined by `-`.

    Raises:
        Invalid: nothing is left, or it is too long.
    """
    cleaned = re.sub(r"\s+", "-", name.strip().lstrip("#").lower())
    if not _NAME.fullmatch(cleaned) or cleaned in _TAKEN:
        raise Invalid(
            "A channel's name has letters a–z, digits, - and _, 60 at most, and begins with a letter or digit; "
            "new, rail and mentions are taken."
        )
    return cleaned


@transaction.atomic
def create_channel(*, workspace: Workspace, name: str, purpose: str = "") -> Channel:
    """Return the new channel.

    Raises:
        Invalid: the name or the purpose will not do.
        Conflict: there is one of this name, or there are too many.
    """
    name = clean_name(name)
    if len(purpose) > 250:
        raise Invalid("A purpose has 250 characters at most.")
    if Channel.objects.filter(workspace=workspace).count() >= MAX_CHANNELS:
        raise Conflict(f"A workspace has {MAX_CHANNELS} channels at most.")
    try:
        with transaction.atomic():
            channel = Channel.objects.create(workspace=workspace, name=name, purpose=purpose.strip())
    except IntegrityError:
        raise Conflict(f"There is a channel #{name} already.", name=name) from None
    publish_on_commit(workspace.pk, events.ChannelsChanged(channel_id=channel.pk, name=name))
    return channel


@transaction.atomic
def change_channel(
    *, channel: Channel, name: str | None = None, purpose: str | None = None, is_archived: bool | None = None
) -> Channel:
    """Return the channel with what is given changed.

    Raises:
        Invalid: the name or the purpose will not do.
        Conflict: there is one of this name.
    """
    if name is not None:
        channel.name = clean_name(name)
    if purpose is not None:
        if len(purpose) > 250:
            raise Invalid("A purpose has 250 characters at most.")
        channel.purpose = purpose.strip()
    if is_archived is not None:
        channel.is_archived = is_archived
    try:
        with transaction.atomic():
            channel.save(update_fields=["name", "purpose", "is_archived"])
    except IntegrityError:
        raise Conflict(f"There is a channel #{channel.name} already.", name=channel.name) from None
    publish_on_commit(channel.workspace_id, events.ChannelsChanged(channel_id=channel.pk, name=channel.name))
    return channel


def furnish(workspace: Workspace) -> None:
    """Give a new workspace its first channel."""
    create_channel(
        workspace=workspace, name=FIRST_CHANNEL, purpose="For everything that has no channel of its own."
    )


@transaction.atomic
def mark_read(*, channel: Channel, user: User, number: int) -> int:
    """Note that the person has read the channel up to message `number`; a mark never goes back. Return how many are unread."""
    channel.refresh_from_db(fields=["last_number"])
    number = min(max(number, 0), channel.last_number)
    mark, is_new = ReadMark.objects.get_or_create(
        channel=channel, user=user, defaults={"last_read_number": number}
    )
    if not is_new and mark.last_read_number >= number:
        return channel.last_number - mark.last_read_number
    ReadMark.objects.filter(pk=mark.pk).update(last_read_number=Greatest(F("last_read_number"), number))
    unread = channel.last_number - number
    publish_to_person_on_commit(
        user.pk, events.ChannelRead(channel_id=channel.pk, number=number, unread=unread)
    )
    return unread
