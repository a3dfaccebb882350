"""People, a workspace with a real repository, and a hand that plays the engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client

from tests.framework.people import make_person
from tests.framework.provider_double import ProviderDouble
from tests.framework.provider_double.threaded import running_double
from tests.framework.repos import make_repository
from webapp.accounts.models import User
from webapp.agents.models import Run
from webapp.events import publish
from webapp.workspaces.models import Membership, Role, Workspace
from workers import events as engine
from workers.queue.fleet import INBOX_KEY
from workers.queue.waiting import JOBS_KEY, WAITING_KEY

DOUBLE_KEY = "sk-canary-4f1d2c3b5a697887"


@pytest.fixture(autouse=True)
def _with_redis(redis_client: redis.Redis) -> None:
    publish.redis_client.cache_clear()


def drain(client: redis.Redis) -> list[dict[str, Any]]:
    """Return the jobs that were rung for since the last look, oldest first, and forget them."""
    news: Any = client.xrange(INBOX_KEY)
    submitted = [fields[b"run_id"] for _, fields in news if fields[b"op"] == b"submit"]
    jobs = []
    for run_id in dict.fromkeys(submitted):
        if (raw := client.hget(JOBS_KEY, run_id)) is not None:
            jobs.append(json.loads(raw))
    client.delete(INBOX_KEY, JOBS_KEY, WAITING_KEY)
    return jobs


@pytest.fixture
def rung(redis_client: redis.Redis) -> Callable[[], list[dict[str, Any]]]:
    """Returns the jobs that were rung for since the last look."""
    return lambda: drain(redis_client)


@dataclass
class People:
    """One of each role, a stranger who owns another workspace, and the installation's owner."""

    owner: User
    maintainer: User
    member: User
    viewer: User
    stranger: User
    boss: User


@pytest.fixture
def people(db: None) -> People:
    names = ("owner", "maintainer", "member", "viewer", "stranger")
    return People(
        *(make_person(name) for name in names), boss=make_person("boss", is_installation_owner=True)
    )


@pytest.fixture
def workspace(people: People) -> Workspace:
    """A workspace that is ready, with a real repository in its place."""
    workspace = Workspace.objects.create(name="parser", state=Workspace.State.READY, created_by=people.owner)
    for role in Role.values:
        Membership.objects.create(workspace=workspace, user=getattr(people, role), role=role)
    root = Path(settings.PYAGENT_HOME) / "workspaces"
    # Keys start anew with each test's database, folders do not.
    shutil.rmtree(root / str(workspace.pk), ignore_errors=True)
    make_repository(
        root, {"parser.py": b"import os\n\n\ndef parse():\n    return 1\n"}, name=str(workspace.pk)
    )
    return workspace


@pytest.fixture
def elsewhere(people: People) -> Workspace:
    """The stranger's workspace."""
    workspace = Workspace.objects.create(
        name="elsewhere", state=Workspace.State.READY, created_by=people.stranger
    )
    Membership.objects.create(workspace=workspace, user=people.stranger, role=Role.OWNER)
    return workspace


@pytest.fixture
def browser(people: People) -> Callable[[User | None], Client]:
    """Returns a signed-in browser; nobody's for None."""

    def open_browser(user: User | None, **kwargs: Any) -> Client:
        client = Client(**kwargs)
        if user is not None:
            client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return open_browser


class Engine:
    """Speaks for a worker: numbers events and has the relay's recorder write them."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.fence = run.fence
        self.seq = run.last_seq

    def make(
        self, event_type: type[engine.EngineEvent], *, seq: int | None = None, **fields: Any
    ) -> engine.EngineEvent:
        if seq is None:
            self.seq += 1
            seq = self.seq
        return event_type(run_id=str(self.run.pk), fence=self.fence, run_seq=seq, **fields)

    def say(
        self, event_type: type[engine.EngineEvent], *, seq: int | None = None, **fields: Any
    ) -> engine.EngineEvent:
        from webapp.realtime.recorder import record_batch

        event = self.make(event_type, seq=seq, **fields)
        record_batch([event])
        self.run.refresh_from_db()
        return event

    def start(self) -> None:
        self.say(engine.RunStarted, worker="host:1", model="")

    def step(
        self, step_id: str, kind: str = "tool_call", *, parent: str | None = None, **finished: Any
    ) -> None:
        self.say(engine.StepStarted, step_id=step_id, parent_id=parent, kind=kind, title=f"Step {step_id}")
        if finished:
            self.say(engine.StepFinished, step_id=step_id, **{"status": "ok", "duration_ms": 5, **finished})


@pytest.fixture
def run(workspace: Workspace, people: People) -> Run:
    """A queued run of the member, as it stands once its job is written."""
    from webapp.agents.services import start_run

    run = start_run(
        workspace=workspace, requested_by=people.member, agent="coder", goal="fix the failing test"
    )
    run.base_commit = "a" * 40
    run.job = {**run.job, "base_commit": run.base_commit}
    run.save()
    return run


@pytest.fixture
def worker(run: Run) -> Engine:
    """The worker that has taken `run`."""
    hand = Engine(run)
    hand.start()
    return hand


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    """A provider on a loop of its own, since what is tested is called from plain threads."""
    with running_double(key=DOUBLE_KEY) as double:
        yield double
