"""Messages as HTML: the same piece for the page, for the news, and for whoever catches up."""

from __future__ import annotations

from collections.abc import Sequence

from django.template.loader import render_to_string

from webapp.chat import selectors
from webapp.chat.models import Message
from webapp.workspaces.models import Workspace


def message_html(workspace: Workspace, message: Message) -> str:
    """Return one message as HTML."""
    return messages_html(workspace, [message])


def messages_html(workspace: Workspace, messages: Sequence[Message]) -> str:
    """Return messages as HTML, one after the other."""
    selectors.add_reactions(messages)
    return render_to_string("chat/_messages.html", {"workspace": workspace, "messages": messages}).strip()
