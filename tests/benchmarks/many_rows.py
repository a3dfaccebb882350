"""A workspace with very many runs, reviews and messages, written straight into the tables."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents.models import Run
from webapp.chat.models import Channel, Message, Topic
from webapp.reviews.models import ChangeSet
from webapp.workspaces.models import Membership, Workspace

PEOPLE, WORKSPACES, CHANNELS, TOPICS = 50, 20, 30, 100
SENTENCES = (
    "Make the parser accept empty lines and say which line was wrong",
    "Remove unused imports from the package and sort the rest",
    "Fix the failing test in tests/test_reader.py",
    "Explain why the cache grows and bound it to 10,000 entries",
)
MODELS = ("gpt-5.1", "claude-sonnet-4-5", "embedded SmolLM2-135M", "")
RUN_STATUSES = ("finished",) * 6 + ("failed", "failed", "cancelled", "dead")
REVIEW_STATUSES = ("landed",) * 4 + ("open",) * 3 + ("discarded", "discarded", "reverted")


@dataclass(frozen=True)
class Filled:
    """A person who is signed in, and the pages of theirs to measure."""

    session_key: str
    pages: dict[str, str]


def fill(rows: int) -> Filled:
    """Migrate the database and fill it with `rows` runs, reviews and messages in one workspace."""
    call_command("migrate", verbosity=0)
    people = User.objects.bulk_create(
        User(email=f"p{n}@example.org", handle=f"p{n}", display_name=f"Person {n}", password="!")
        for n in range(PEOPLE)
    )
    workspaces = Workspace.objects.bulk_create(
        Workspace(name=f"Workspace {n}", state="ready", created_by=people[0]) for n in range(WORKSPACES)
    )
    Membership.objects.bulk_create(
        Membership(workspace=workspace, user=person, role="member")
        for workspace in workspaces
        for person in people
    )
    workspace, now = workspaces[0], timezone.now()
    _in_batches(Run, (_run(workspace, people, n, now) for n in range(rows)), "created_at", now)
    proposers = list(
        Run.objects.order_by("created_at", "pk").values_list("pk", "agent", "created_at").iterator()
    )
    _in_batches(
        ChangeSet,
        (_change_set(workspace, people, n, run_id, agent) for n, (run_id, agent, _) in enumerate(proposers)),
        "created_at",
        now,
    )
    channel = _talk(workspace, people, rows, now)
    base = f"/w/{workspace.pk}"
    return Filled(
        _session_of(people[0]),
        {
            "runs": f"{base}/runs/",
            "runs at work": f"{base}/runs/?status=active",
            "runs that failed": f"{base}/runs/?status=failed",
            "runs, an older page": f"{base}/runs/?after={_cursor(proposers[rows // 2])}",
            "reviews that are open": f"{base}/reviews/",
            "all reviews": f"{base}/reviews/?which=all",
            "reviews, an older page": f"{base}/reviews/?which=all&before={rows // 2}",
            "a channel": f"{base}/c/{channel.name}/",
            "channels in the rail": f"{base}/c/rail/",
            "search": f"{base}/search/?q=parser",
            "workspaces": "/",
            "members": f"{base}/members/",
        },
    )


def _in_batches(model: Any, made: Iterator[Any], stamp: str, now: datetime) -> None:
    """Write the rows, each a second after the one before; `auto_now_add` would give all one moment."""
    model._meta.get_field(stamp).auto_now_add = False
    number = 0
    while batch := list(islice(made, 5_000)):
        for row in batch:
            number += 1
            setattr(row, stamp, now - timedelta(days=2) + timedelta(seconds=number))
        model.objects.bulk_create(batch, batch_size=500)
    model._meta.get_field(stamp).auto_now_add = True


def _run(workspace: Workspace, people: list[User], n: int, now: datetime) -> Run:
    status = RUN_STATUSES[n % len(RUN_STATUSES)] if n % 1000 else "running"
    failed = status in ("failed", "dead")
    return Run(
        id=uuid.uuid4(),
        workspace=workspace,
        requested_by=people[n % PEOPLE],
        agent=("coder", "tidy")[n % 2],
        goal=f"{SENTENCES[n % len(SENTENCES)]}, part {n}",
        status=status,
        model_label=MODELS[n % len(MODELS)],
        job={"goal": SENTENCES[n % len(SENTENCES)], "history": ["x" * 400]},
        error_code="budget_spent" if failed else "",
        error_message="The run used up its 30 steps before the tests passed." if failed else "",
        input_tokens=1000 + n % 9000,
        output_tokens=n % 700,
        cost_usd=None if n % 5 == 0 else 0.01 * (n % 90),
        started_at=now - timedelta(seconds=90),
        finished_at=None if status == "running" else now - timedelta(seconds=n % 80),
    )


def _change_set(workspace: Workspace, people: list[User], n: int, run_id: uuid.UUID, agent: str) -> ChangeSet:
    status = REVIEW_STATUSES[n % len(REVIEW_STATUSES)]
    return ChangeSet(
        workspace=workspace,
        run_id=run_id,
        agent=agent,
        title=f"{SENTENCES[n % len(SENTENCES)]} ({n})",
        summary="What was done, in a sentence or two.",
        status=status,
        turn=("reviewer", "agent")[n % 2],
        target_branch="main",
        landed_by=people[n % PEOPLE] if status in ("landed", "reverted") else None,
        file_count=1 + n % 7,
        hunk_count=2 + n % 30,
        added=n % 200,
        deleted=n % 90,
        risk=("low", "medium", "high")[n % 3],
    )


def _talk(workspace: Workspace, people: list[User], rows: int, now: datetime) -> Channel:
    channels = Channel.objects.bulk_create(
        Channel(workspace=workspace, name=f"channel-{n}", last_number=0 if n else rows)
        for n in range(CHANNELS)
    )
    topics = Topic.objects.bulk_create(
        Topic(channel=channels[0], name=f"topic {n}", last_number=n + 1) for n in range(TOPICS)
    )
    made = (
        Message(
            channel=channels[0],
            topic=topics[n // 10 % TOPICS],
            number=n + 1,
            author=people[n // 3 % PEOPLE],
            text=f"{SENTENCES[n % len(SENTENCES)]}, says message {n}.",
            html=f"<p>{SENTENCES[n % len(SENTENCES)]}, says message {n}.</p>",
        )
        for n in range(rows)
    )
    _in_batches(Message, made, "created_at", now)
    return channels[0]


def _cursor(run: tuple[uuid.UUID, str, datetime]) -> str:
    return f"{run[2].isoformat().replace('+', '%2B')}~{run[0]}"


def _session_of(person: User) -> str:
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(person.pk), person.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session.save()
    return str(session.session_key)
