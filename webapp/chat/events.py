"""What happens in channels, told to everybody in the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePosted:
    """Somebody said something. `html` is the message for the page; empty when it is too long to send along."""

    type: ClassVar[str] = "MessagePosted"
    channel_id: int
    topic_id: int
    topic: str
    message_id: int
    number: int
    client_id: str
    author_id: int | None
    agent: str
    mentioned_ids: list[int]
    run_id: str | None
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChanged:
    """A message was edited, deleted or reacted to. `html` is the whole message as it is now."""

    type: ClassVar[str] = "MessageChanged"
    channel_id: int
    message_id: int
    number: int
    is_deleted: bool
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelsChanged:
    """A channel came, was archived, or has another name or purpose."""

    type: ClassVar[str] = "ChannelsChanged"
    channel_id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRead:
    """A person read a channel up to `number`; told to their own tabs."""

    type: ClassVar[str] = "ChannelRead"
    channel_id: int
    number: int
    unread: int
