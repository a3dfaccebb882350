"""Messages that call agents, and the cards of runs, which stand in the conversation like messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from webapp.agents.models import Run
from webapp.agents.services import start_run
from webapp.chat import access, selectors
from webapp.chat.models import Channel, Message, Topic
from webapp.chat.services.placing import add_message, announce_posted
from webapp.workspaces.models import Workspace

MAX_CALLS = 3
RUNS_TOPIC = "runs"
# Where the card of the run that is being started belongs; unset for runs that were not called in a channel.
_place: ContextVar[Topic | None] = ContextVar("place_of_the_card", default=None)


@contextmanager
def cards_go_to(topic: Topic) -> Iterator[None]:
    """Within it, the cards of runs that are started stand in this topic."""
    token = _place.set(topic)
    try:
        yield
    finally:
        _place.reset(token)


def call_agents(workspace: Workspace, message: Message, agents: Sequence[str]) -> tuple[list[Run], list[str]]:
    """Return the runs that this message starts, in its own transaction, and notices for its author.

    Raises:
        PyAgentError: an agent cannot be called.
    """
    if not agents:
        return [], []
    assert message.author is not None  # noqa: S101  only people call agents
    if not access.may_call_agents(message.author, workspace):
        return [], [
            "Your message is posted, but calling an agent needs the role “member” (and a key the scope “run”)."
        ]
    notices = [f"A message calls {MAX_CALLS} agents at most."] if len(agents) > MAX_CALLS else []
    conversation = selectors.conversation_before(message)
    runs = []
    with cards_go_to(message.topic):
        for agent in agents[:MAX_CALLS]:
            goal = goal_of(message.text, agent)
            runs.append(
                start_run(
                    workspace=workspace,
                    requested_by=message.author,
                    agent=agent,
                    goal=goal,
                    conversation=conversation,
                )
            )
    return runs, notices


def goal_of(text: str, agent: str) -> str:
    """Return what an agent is asked: the message without the call at its beginning."""
    return re.sub(rf"^\s*@{re.escape(agent)}\b[\s,:–-]*", "", text, flags=re.IGNORECASE).strip()


def post_card(run: Run) -> Message | None:
    """Put the run's card where it was called, where the run it repeats or answers for stood, or among the runs.

    A run that another run asked for has no card of its own: it is a node in the tree of that one.
    """
    if run.parent_id is not None:
        return None
    topic = place_of(run) or _topic_of(run)
    if topic is None:
        return None
    channel = Channel.objects.select_for_update().get(pk=topic.channel_id)
    card = Message(agent=run.agent, run=run, text="", html="")
    add_message(channel, topic, card)
    announce_posted(run.workspace, card, [])
    return card


def place_of(run: Run) -> Topic | None:
    """Return where the run is called, or where the one was that it repeats or works for; None when that was in no channel."""
    if (place := _place.get()) is not None:
        return place
    ancestors = run.lineage.get("ancestors") or [{}]
    if (old_id := run.retry_of_id or ancestors[0].get("run_id")) is None:
        return None
    cards = Message.objects.filter(run_id=old_id, channel__workspace_id=run.workspace_id)
    old = cards.select_related("topic__channel").order_by("-id").first()
    return old.topic if old is not None else None


def _topic_of(run: Run) -> Topic | None:
    cards = (
        Message.objects.filter(channel__workspace_id=run.workspace_id).select_related("topic").order_by("-id")
    )
    change_set_id = run.change_set_id or (run.job.get("review_of") or {}).get("change_set_id")
    if change_set_id and (old := cards.filter(run__proposed_change_set=change_set_id).first()):
        return old.topic
    channel = Channel.objects.filter(workspace_id=run.workspace_id, is_archived=False).order_by("pk").first()
    return Topic.objects.get_or_create(channel=channel, name=RUNS_TOPIC)[0] if channel else None
