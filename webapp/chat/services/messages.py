"""Messages are posted, edited, deleted and reacted to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents.definitions import agent_names
from webapp.agents.models import Run
from webapp.chat import access, selectors
from webapp.chat.models import Channel, Mention, Message, Reaction, Topic
from webapp.chat.services.calling import call_agents
from webapp.chat.services.channels import mark_read
from webapp.chat.services.placing import add_message, announce_changed, announce_posted
from webapp.errors import Conflict, Invalid
from webapp.markdown import MAX_CHARS, MENTION, Rendered, possible_handles, render
from webapp.workspaces.models import Workspace

DEFAULT_TOPIC = "general"
MAX_REACTIONS = 20
_EMOJI = re.compile(r"[^\w\s<>&\"'/\\`]{1,16}")


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that stands, the runs it started, and what the author should know."""

    message: Message
    runs: list[Run] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def clean_text(text: str) -> str:
    """Return the text as it is stored.

    Raises:
        Invalid: it is empty or too long.
    """
    # PostgreSQL stores neither NUL nor halves of a surrogate pair.
    text = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode().replace("\r\n", "\n").rstrip()
    if not text.strip():
        raise Invalid("Write something first.")
    if len(text) > MAX_CHARS:
        raise Invalid(
            f"A message has {MAX_CHARS:,} characters at most; this one has {len(text):,}.", limit=MAX_CHARS
        )
    return text


def clean_topic(name: str) -> str:
    """Return the topic's name in one line; the default one for an empty name.

    Raises:
        Invalid: it is too long.
    """
    name = " ".join(name.replace("\x00", "").split()) or DEFAULT_TOPIC
    if len(name) > 80:
        raise Invalid("A topic has 80 characters at most.")
    return name


def _render(workspace: Workspace, author: User | None, text: str) -> Rendered:
    handles = possible_handles(text)
    people = selectors.people_by_handle(workspace, handles) if handles else {}
    return render(
        text,
        people={handle: user.display_name for handle, user in people.items()},
        agents=agent_names(author, workspace) if handles else (),
    )


def post_message(
    *, workspace: Workspace, channel: Channel, author: User, text: str, topic: str = "", client_id: str = ""
) -> Posted:
    """Return the message; agents it names are called. Posting again with the same `client_id` returns what was posted.

    Raises:
        Invalid: text or topic will not do.
        Forbidden: the channel is archived.
        PyAgentError: an agent cannot be called; then nothing is posted.
    """
    text, topic = clean_text(text), clean_topic(topic)
    # Before the transaction, which on SQLite keeps everybody else from writing.
    rendered = _render(workspace, author, text)
    return _post(workspace, channel, author, text, topic, client_id[:64], rendered)


def _nobody_called(workspace: Workspace, author: User, text: str) -> list[str]:
    """Return a notice for a message that begins by calling somebody who is not here, such as `@tidyy please`."""
    called = MENTION.match(text)
    if called is None:
        return []
    handle = called[1].lower()
    if handle in agent_names(author, workspace) or selectors.people_by_handle(workspace, {handle}):
        return []
    return [f"Your message is posted, but nobody here is called @{called[1]}."]


@transaction.atomic
def _post(
    workspace: Workspace,
    channel: Channel,
    author: User,
    text: str,
    topic_name: str,
    client_id: str,
    rendered: Rendered,
) -> Posted:
    channel = access.writable(Channel.objects.select_for_update().get(pk=channel.pk))
    if client_id and (known := Message.objects.filter(author=author, client_id=client_id).first()):
        if known.channel_id != channel.pk:
            raise Conflict("This client_id is that of a message elsewhere; make a new one.")
        return Posted(known)
    topic = Topic.objects.get_or_create(channel=channel, name=topic_name)[0]
    message = Message(author=author, text=text, html=rendered.html, client_id=client_id)
    add_message(channel, topic, message)
    mentioned = _save_mentions(workspace, message, rendered.people)
    announce_posted(workspace, message, mentioned)
    mark_read(channel=channel, user=author, number=message.number)
    runs, notices = call_agents(workspace, message, rendered.agents)
    nobody = [] if runs or mentioned else _nobody_called(workspace, author, text)
    return Posted(message, runs, notices + nobody)


@transaction.atomic
def post_notice(*, run: Run, text: str) -> Message | None:
    """Return what the agent says where its run's card stands, None where there is no card. It calls no agent."""
    card = run.messages.select_related("channel", "topic").order_by("pk").first()
    if card is None:
        return None
    channel = Channel.objects.select_for_update().get(pk=card.channel_id)
    rendered = _render(run.workspace, run.requested_by, text)
    message = Message(agent=run.agent, text=text, html=rendered.html)
    add_message(channel, card.topic, message)
    announce_posted(run.workspace, message, _save_mentions(run.workspace, message, rendered.people))
    return message


def _save_mentions(workspace: Workspace, message: Message, handles: tuple[str, ...]) -> list[int]:
    Mention.objects.filter(message=message).delete()
    people = selectors.people_by_handle(workspace, set(handles)).values()
    Mention.objects.bulk_create(Mention(message=message, user=user) for user in people)
    return [user.pk for user in people]


def edit_message(*, workspace: Workspace, message: Message, text: str) -> Message:
    """Return the message with its new text. Agents it names are not called again.

    Raises:
        Invalid: the text will not do.
    """
    text = clean_text(text)
    rendered = _render(workspace, message.author, text)
    with transaction.atomic():
        now = timezone.now()
        message.text, message.html, message.edited_at, message.changed_at = text, rendered.html, now, now
        message.save(update_fields=["text", "html", "edited_at", "changed_at"])
        _save_mentions(workspace, message, rendered.people)
        announce_changed(workspace, message)
    return message


@transaction.atomic
def delete_message(*, workspace: Workspace, message: Message) -> None:
    """Take the message's words away; its place in the conversation stays."""
    now = timezone.now()
    message.text, message.html, message.deleted_at, message.changed_at = "", "", now, now
    message.save(update_fields=["text", "html", "deleted_at", "changed_at"])
    message.mentions.all().delete()
    message.reactions.all().delete()
    announce_changed(workspace, message)


@transaction.atomic
def react(*, workspace: Workspace, message: Message, user: User, emoji: str, is_on: bool) -> None:
    """Put the person's emoji on the message, or take it off; doing it twice changes nothing.

    Raises:
        Invalid: that is no emoji, or the message has too many kinds already.
    """
    if not _EMOJI.fullmatch(emoji):
        raise Invalid("A reaction is one emoji.")
    if not is_on:
        changed = Reaction.objects.filter(message=message, user=user, emoji=emoji).delete()[0] > 0
    else:
        kinds = set(Reaction.objects.filter(message=message).values_list("emoji", flat=True))
        if emoji not in kinds and len(kinds) >= MAX_REACTIONS:
            raise Invalid(f"A message has {MAX_REACTIONS} kinds of reaction at most.")
        changed = Reaction.objects.get_or_create(message=message, user=user, emoji=emoji)[1]
    if changed:
        message.changed_at = timezone.now()
        message.save(update_fields=["changed_at"])
        announce_changed(workspace, message)
