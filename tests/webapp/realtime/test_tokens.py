"""Token deltas of a run: for tabs of its own workspace only."""

from __future__ import annotations

import pytest
import redis

from tests.framework.people import Company
from tests.framework.web import Web
from webapp.agents.models import Run
from webapp.workspaces.models import Workspace
from workers.events import tokens_key

pytestmark = pytest.mark.django_db(transaction=True)


def say(client: redis.Redis, run: Run, *texts: str) -> None:
    for text in texts:
        client.xadd(tokens_key(str(run.pk)), {"step_id": "s1", "text": text})


@pytest.fixture
def run(company: Company) -> Run:
    return Run.objects.create(workspace=company.workspace, agent="coder", goal="x")


def test_streams_tokens_to_who_watches(company: Company, web: Web, redis_client: redis.Redis, run: Run):
    tab = web.tab(company.client(company.viewer), company.workspace.pk)
    tab.hello()
    say(redis_client, run, "before ")
    tab.send(type="watch", run_id=str(run.pk), after="0-0")
    assert tab.wait_for("tokens")["text"] == "before "
    say(redis_client, run, "live\n\x1b[31m<b>")
    seen = tab.wait_for("tokens")
    assert (seen["run_id"], seen["step_id"], seen["text"]) == (str(run.pk), "s1", "live\n\x1b[31m<b>")


def test_goes_on_after_the_last_piece_that_was_seen(
    company: Company, web: Web, redis_client: redis.Redis, run: Run
):
    say(redis_client, run, "a", "b")
    first = web.tab(company.client(company.viewer), company.workspace.pk)
    first.hello()
    first.send(type="watch", run_id=str(run.pk), after="0-0")
    last = [first.wait_for("tokens") for _ in "ab"][-1]["id"]
    say(redis_client, run, "c")
    second = web.tab(company.client(company.viewer), company.workspace.pk)
    second.hello()
    second.send(type="watch", run_id=str(run.pk), after=last)
    assert second.wait_for("tokens")["text"] == "c"


def test_says_nothing_of_a_run_elsewhere_or_nowhere(company: Company, web: Web, redis_client: redis.Redis):
    elsewhere = Run.objects.create(workspace=Workspace.objects.get(name="Elsewhere"), agent="coder", goal="x")
    say(redis_client, elsewhere, "secret")
    tab = web.tab(company.client(company.owner), company.workspace.pk)
    tab.hello()
    for run_id in (str(elsewhere.pk), "00000000-0000-0000-0000-000000000000", "../x"):
        tab.send(type="watch", run_id=run_id, after="0-0")
        assert tab.wait_for("unwatched")["error"]["code"] == "not_found"
    assert not [frame for frame in tab.frames if frame["type"] == "tokens"]


def test_stops_when_no_longer_watched(company: Company, web: Web, redis_client: redis.Redis, run: Run):
    tab = web.tab(company.client(company.viewer), company.workspace.pk)
    tab.hello()
    tab.send(type="watch", run_id=str(run.pk))
    tab.send(type="unwatch", run_id=str(run.pk))
    tab.command("chat.source", message_id=0)  # answered after both were read
    say(redis_client, run, "unheard")
    tab.command("chat.source", message_id=0)
    assert not [frame for frame in tab.frames if frame["type"] == "tokens"]
