"""What chat tests share: the first channel, and a way to say something in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.framework.people import Company
from webapp.accounts.models import User
from webapp.chat.models import Channel, Message
from webapp.chat.services import Posted, post_message
from webapp.workspaces.access import workspace_for


@pytest.fixture
def channel(company: Company) -> Channel:
    return Channel.objects.get(workspace=company.workspace)


Say = Callable[..., Posted]


@pytest.fixture
def say(company: Company, channel: Channel) -> Say:
    """Post a message as a person, as the edges do: through their access to the workspace."""

    def post(person: User, text: str, **options: object) -> Posted:
        workspace = workspace_for(person, company.workspace.pk)
        options.setdefault("channel", channel)
        return post_message(workspace=workspace, author=person, text=text, **options)  # type: ignore[arg-type]

    return post


@pytest.fixture
def messages(company: Company, channel: Channel, say: Say) -> list[Message]:
    """Three messages: two of the member's, one of the viewer's."""
    return [
        say(company.member, "first", topic="release").message,
        say(company.viewer, "second", topic="release").message,
        say(company.member, "third **bold**").message,
    ]
