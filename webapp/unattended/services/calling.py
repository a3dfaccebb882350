"""What schedules, webhooks and goals share: how a call is described, checked, and made in its owner's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.utils import timezone

from webapp.accounts.access import used_key
from webapp.accounts.models import ApiKey, User
from webapp.agents import definitions as agents
from webapp.agents.access import profile_to_run_on
from webapp.agents.budgets import check_budget
from webapp.agents.models import ModelProfile, Run
from webapp.agents.plain import storable_text
from webapp.agents.services import start_run
from webapp.agents.services.runs import GOAL_CHARS
from webapp.chat.access import channel_in, writable
from webapp.chat.models import Topic
from webapp.chat.services.calling import RUNS_TOPIC, cards_go_to
from webapp.chat.services.messages import clean_topic
from webapp.errors import Conflict, Forbidden, Invalid, NotFound
from webapp.unattended import access
from webapp.unattended.access import Item
from webapp.unattended.models import Act, Calling, Switched
from webapp.unattended.services.acts import record
from webapp.workspaces.models import Workspace
from workers.queue import PRIORITIES, Budget

# A person at the keyboard comes first: what starts by itself is never critical.
UNATTENDED_PRIORITIES: Final = tuple(name for name in PRIORITIES if name != "critical")
MAX_ITEMS: Final = 100
"""Schedules, webhooks or goals that a workspace may have of each kind."""
RIGHTS_LOST: Final = "Who answered for it may call agents here no more."
KEY_REVOKED: Final = "Stopped: its key “{name}” was revoked on {at} UTC."


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingFields:
    """What a person says about the call."""

    name: str
    agent: str
    goal: str = ""
    profile_id: int | None = None
    budget: Budget | None = None
    priority: str = "standard"
    channel_id: int | None = None
    topic: str = ""


def check_room(model: type[Calling], workspace: Workspace) -> None:
    """Refuse one more than a workspace may have.

    Raises:
        Conflict: it has that many.
    """
    if model._default_manager.filter(workspace=workspace).count() >= MAX_ITEMS:
        raise Conflict(f"A workspace has {MAX_ITEMS} of these at most.")


def fill(item: Calling, given: CallingFields, *, by: User) -> agents.AgentInfo:
    """Set on the item what `given` says, checked for `by`, who answers for it from now on. Return the agent that it calls.

    Raises:
        Invalid: something cannot be accepted; `field` names it.
        NotFound: there is no such channel, or no such model for this person.
        Forbidden: the channel is archived.
    """
    name = " ".join(storable_text(given.name).split())
    if not 1 <= len(name) <= 80:
        raise Invalid("Give it a name of at most 80 characters.", field="name")
    info = agents.find_agent(given.agent, by, item.workspace)
    if info is None:
        raise Invalid("There is no such agent.", field="agent")
    goal = storable_text(given.goal.replace("\r\n", "\n").strip())
    if (info.needs_goal and not goal) or len(goal) > GOAL_CHARS:
        raise Invalid(f"Tell @{info.name} what to do, in at most {GOAL_CHARS:,} characters.", field="goal")
    if given.priority not in UNATTENDED_PRIORITIES:
        raise Invalid(f"The priority is one of {', '.join(UNATTENDED_PRIORITIES)}.", field="priority")
    if given.budget is not None:
        check_budget(given.budget)
    if given.profile_id is not None:
        profile_to_run_on(by, item.workspace, given.profile_id)
    channel = writable(channel_in(item.workspace, given.channel_id)) if given.channel_id is not None else None
    item.name, item.agent, item.goal = name, info.name, goal
    answer_for(item, by)
    item.profile_id, item.priority, item.channel = given.profile_id, given.priority, channel
    item.budget = asdict(given.budget) if given.budget is not None else {}
    item.topic = clean_topic(given.topic) if channel is not None and given.topic.strip() else ""
    return info


def locked(item: Item) -> Item:
    """Return the item as it stands now, for a change of it. Call it in a transaction.

    Raises:
        NotFound: it was deleted meanwhile.
    """
    rows: Any = type(item)._default_manager.select_for_update()
    row: Item | None = rows.filter(pk=item.pk).first()
    if row is None:
        raise NotFound("It was deleted meanwhile.")
    row.workspace = item.workspace
    return row


@contextmanager
def changing(item: Item, *, by: User, seen: str) -> Iterator[Item]:
    """Give the item as it stands now, to be changed; it is saved and the change written down at the end. Use it in a transaction.

    Raises:
        NotFound: it was deleted meanwhile.
        Conflict: it says something else than the description whose digest `seen` is.
    """
    row = locked(item)
    before, owner = row.described, row.owner
    check_seen(row, seen)
    yield row
    row.save()
    note = describe_changes(before, row.described) + taken_over(owner, by)
    record(row, Act.Verb.CHANGED, by=by, note=note)


def check_seen(item: Calling, seen: str) -> None:
    """Refuse a change of something that somebody else has changed since it was read; `seen` is the digest of what was, or empty.

    Raises:
        Conflict: it says something else by now; `seen` is the digest of that.
    """
    if not seen or seen == item.seen:
        return
    acts = Act.objects.filter(workspace_id=item.workspace_id, kind=item.kind, item_id=item.pk)
    last = acts.filter(verb=Act.Verb.CHANGED).select_related("by").first()
    who = f" by {last.by or 'somebody who left'} ({last.note})" if last is not None else ""
    raise Conflict(
        f"It was changed{who} while you wrote. Nothing of yours is saved yet: save again to put yours in its place.",
        seen=item.seen,
    )


def describe_changes(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return the names of what differs, for the record."""
    changed = [name.replace("_", " ") for name, value in after.items() if before.get(name) != value]
    return ", ".join(changed) or "nothing"


def taken_over(owner: User | None, by: User) -> str:
    """Return what the record says when somebody else answers for it from now on."""
    return f"; takes it over from {owner or 'somebody who left'}" if owner != by else ""


def profile_of(item: Calling) -> ModelProfile | None:
    """Return the model that the item's runs work on, None for its owner's default.

    Raises:
        NotFound: the chosen model is deleted, or not the owner's to use any more.
    """
    if item.profile_id is None or item.owner is None:
        return None
    return profile_to_run_on(item.owner, item.workspace, item.profile_id)


def answer_for(item: Calling, by: User) -> None:
    """Make the person answer for the item, by the key with which they ask, or by themselves."""
    item.owner, item.api_key = by, used_key(by)


def key_revoked(key: ApiKey) -> str:
    """Return why what was set going with a revoked key stops."""
    return KEY_REVOKED.format(name=key.name, at=f"{key.revoked_at or timezone.now():%Y-%m-%d %H:%M}")


def lost_rights(item: Calling) -> str:
    """Return why the item may call agents no more; empty while it may."""
    if item.owner is None or not access.may_call(item.owner, item.workspace_id):
        return RIGHTS_LOST
    if item.api_key is not None and item.api_key.revoked_at is not None:
        return key_revoked(item.api_key)
    return ""


def check_rights(item: Calling) -> User:
    """Return who answers for the item, while they may still call agents, and so may the key that set it going.

    Raises:
        Forbidden: they may not.
    """
    if (reason := lost_rights(item)) or item.owner is None:
        raise Forbidden(reason)
    return item.owner


def call(item: Calling, *, origin: str, goal: str | None = None, **more: Any) -> Run:
    """Return the run that the item's agent is called for, in its owner's name; its card stands where the item says.

    Raises:
        Forbidden: its owner may not call agents here any more.
        PyAgentError: as `start_run`.
    """
    owner = check_rights(item)
    more.setdefault("budget", Budget(**item.budget) if item.budget else None)
    with _place(item):
        return start_run(
            workspace=item.workspace,
            requested_by=owner,
            agent=more.pop("agent", item.agent),
            goal=item.goal if goal is None else goal,
            model_profile=profile_of(item),
            priority=item.priority,
            origin=origin,
            **more,
        )


@contextmanager
def _place(item: Calling) -> Iterator[None]:
    channel = item.channel
    if channel is None or channel.is_archived:
        yield
        return
    topic = Topic.objects.get_or_create(channel=channel, name=item.topic or RUNS_TOPIC)[0]
    with cards_go_to(topic):
        yield


def switch(item: Switched, *, is_on: bool, by: User | None, note: str = "") -> None:
    """Switch a locked item and write it down. Whoever switches it on answers for it from now on."""
    if by is not None and is_on:
        if item.owner_id != by.pk:
            note = taken_over(item.owner, by).removeprefix("; ")
        answer_for(item, by)
    item.is_enabled, item.stop_note = is_on, "" if by is not None else note
    item.save()
    record(item, Act.Verb.ENABLED if is_on else Act.Verb.DISABLED, by=by, note=note)


def delete(item: Calling, *, deleted_by: User) -> None:
    """Delete the item with its history; what its runs did stays, and so does the record of who deleted it. In a transaction."""
    record(item, Act.Verb.DELETED, by=deleted_by, note=f"{item.kind} of @{item.agent}")
    item.delete()
