"""The lists of the chat pages as HTML: what a search found, topics, people. Built in Python for the reason `rendering` gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from webapp.chat import selectors
from webapp.chat.models import Channel, Message, Topic
from webapp.workspaces.models import Workspace

SHOWN_CHARS = 280


def hits_html(workspace: Workspace, messages: Sequence[Message]) -> SafeString:
    """Return messages that were found, a line for each."""
    return mark_safe("".join(_hit(workspace, message) for message in messages))  # noqa: S308 - every text is escaped below


def _hit(workspace: Workspace, message: Message) -> str:
    text = message.text if len(message.text) <= SHOWN_CHARS else f"{message.text[: SHOWN_CHARS - 1]}…"
    at = message.created_at
    return (
        f'<li><a class="search-hit" href="/w/{workspace.pk}/m/{message.pk}/"><span class="small muted">'
        f"#{escape(message.channel.name)} › {escape(message.topic.name)} · {escape(selectors.author_name(message))} · "
        f'<time datetime="{at.isoformat()}">{at:%Y-%m-%d %H:%M}</time></span>'
        f'<span class="search-text">{escape(text)}</span></a></li>'
    )


def topics_html(
    workspace: Workspace, channel: Channel, topics: Iterable[Topic], here: Topic | None
) -> SafeString:
    """Return the channel's topics, the one marked that is shown."""
    base = f"/w/{workspace.pk}/c/{escape(channel.name)}/"
    lines = [f'<li><a href="{base}"{_current(here is None)}>All topics</a></li>']
    lines += [
        f'<li><a class="truncate" href="{base}?topic={one.pk}" data-topic-id="{one.pk}"'
        f"{_current(one == here)}>{escape(one.name)}</a></li>"
        for one in topics
    ]
    return mark_safe(f'<ul class="topic-list">{"".join(lines)}</ul>')  # noqa: S308 - every text is escaped above


def _current(is_here: bool) -> str:
    return ' aria-current="page"' if is_here else ""


def people_html(people: Iterable[Mapping[str, Any]]) -> SafeString:
    """Return the workspace's people; the page marks who is here."""
    lines = (
        f'<li data-user-id="{one["id"]}"><span class="presence" aria-hidden="true"></span>'
        f'<span class="truncate">{escape(one["display_name"])}</span> <span class="visually-hidden" data-state-words></span></li>'
        for one in people
    )
    return mark_safe("".join(lines))  # noqa: S308 - every text is escaped above
