"""What @scribe is handed: the messages of the channel that is meant, or of one topic in it."""

from __future__ import annotations

import re

from webapp.agents.models import Run
from webapp.agents.plain import storable
from webapp.chat import selectors
from webapp.chat.models import Channel, Topic
from webapp.chat.services.calling import place_of
from webapp.errors import NotFound
from webapp.events.registry import Prepared

_CHANNEL = re.compile(r"(?<![\w#])#([a-z0-9][a-z0-9_-]{0,59})\b", re.IGNORECASE)
_TOPIC = re.compile(r"\btopic\b:?\s*[“\"']?([^”\"'\n]{0,80})", re.IGNORECASE)


def prepare_summary(run: Run) -> Prepared:
    """Return the messages for a run of @scribe: of the channel that its goal names (`#general`), else of where it was called.

    With the word "topic" only those of the topic of that name, or of the one where it was called.

    Raises:
        NotFound: there is no such channel or topic.
    """
    place = place_of(run)
    channel = _channel_meant(run, place)
    topic = _topic_meant(run.goal, channel, place)
    return Prepared(job={"conversation": storable(selectors.messages_to_sum_up(channel, topic))})


def _channel_meant(run: Run, place: Topic | None) -> Channel:
    if (named := _CHANNEL.search(run.goal)) is not None:
        found = Channel.objects.filter(workspace_id=run.workspace_id, name=named[1].lower()).first()
        if found is None:
            raise NotFound(f"There is no channel #{named[1]} here.")
        return found
    channel = place.channel if place is not None else selectors.first_channel(run.workspace)
    if channel is None:
        raise NotFound("There is no channel here to sum up.")
    return channel


def _topic_meant(goal: str, channel: Channel, place: Topic | None) -> Topic | None:
    if (named := _TOPIC.search(goal)) is None:
        return None
    name = named[1].strip(" .!?")
    found = Topic.objects.filter(channel=channel, name__iexact=name).first() if name else None
    if found is None and place is not None and place.channel_id == channel.pk:
        return place  # "this topic", "the topic so far"
    if found is None:
        raise NotFound(f"There is no topic “{name}” in #{channel.name}." if name else "Say which topic.")
    return found
