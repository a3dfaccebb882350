"""Redis that hangs, with connections open and no answers: pages say so or go on without it, soon, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
import redis
from django.utils import timezone

from tests.framework.people import PASSWORD, Company
from tests.framework.redis import RedisServer
from tests.framework.web import WebProcess, database_url_of_tests
from webapp.agents.leases import RING_AGAIN, ring_forgotten
from webapp.agents.models import Run
from workers.queue.connecting import ANSWER_S
from workers.queue.waiting import WAITING_KEY

pytestmark = pytest.mark.django_db(transaction=True)
# Before, one wait too many made it 15 s and 30 s. Each bound leaves a loaded machine its time.
READY_S = ANSWER_S + 2
START_S = 2 * ANSWER_S + 3


@dataclass(frozen=True, slots=True)
class Place:
    """A web process with a Redis of its own, so that no other test hears of the silence."""

    web: WebProcess
    redis: RedisServer


@pytest.fixture(scope="module")
def place(
    django_db_setup: None, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("hangs")
    server = RedisServer(folder, folder / "redis.sock")
    server.start()
    process = WebProcess(folder / "daphne.log", PYAGENT_TEST_REDIS_URL=server.url)
    try:
        process.start(database_url_of_tests())
        yield Place(process, server)
    finally:
        process.stop()
        server.kill()


@pytest.fixture
def asking(place: Place, api_key: Callable, company: Company) -> Iterator[httpx.Client]:
    """A program with the member's key; nothing is left of the silence of an earlier test."""
    headers = api_key(company.member, "read", "write", "run")
    with httpx.Client(base_url=place.web.origin, headers=headers, timeout=40) as client:
        deadline = time.monotonic() + 20
        while client.get("/readyz").json()["parts"]["redis"] != "ok":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield client


def timed(ask: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return ask(), time.monotonic() - began


def test_is_not_ready_within_three_seconds(asking: httpx.Client, place: Place):
    with place.redis.hanging():
        for _ in range(3):
            reply, took_s = timed(lambda: asking.get("/readyz"))
            assert reply.status_code == 503
            assert reply.json()["parts"]["redis"] == "Redis does not answer"
            assert took_s < READY_S, f"{took_s:.1f} s"


def test_accepts_a_run_that_begins_once_redis_is_back(
    asking: httpx.Client, company: Company, place: Place, redis_client: redis.Redis
):
    url = f"/api/v1/workspaces/{company.workspace.pk}/runs"
    with place.redis.hanging():
        for goal in ("fix the parser", "fix the lexer"):
            reply, took_s = timed(lambda: asking.post(url, json={"agent": "coder", "goal": goal}))  # noqa: B023
            assert reply.status_code == 201, reply.text
            assert took_s < START_S, f"{took_s:.1f} s"
        run, _ = Run.objects.order_by("created_at")
        assert (run.status, run.goal, run.rung_at) == (Run.Status.QUEUED, "fix the parser", None)
    rung = ring_forgotten(now=timezone.now() + RING_AGAIN)
    assert run.pk in rung
    assert str(run.pk).encode() in redis_client.hgetall(WAITING_KEY)


def test_keeps_a_message_that_calls_an_agent(asking: httpx.Client, company: Company, place: Place):
    channel = company.workspace.channels.get()
    url = f"/api/v1/workspaces/{company.workspace.pk}/channels/{channel.pk}/messages"
    with place.redis.hanging():
        reply, took_s = timed(lambda: asking.post(url, json={"text": "@coder fix the parser"}))
    assert reply.status_code == 201, reply.text
    assert took_s < START_S, f"{took_s:.1f} s"
    assert channel.messages.filter(text="@coder fix the parser").exists()
    assert Run.objects.get().goal == "fix the parser"


def test_shows_pages_and_says_why_nobody_can_sign_in(asking: httpx.Client, company: Company, place: Place):
    session = company.client(company.member).cookies["sessionid"].value
    page = f"{place.web.origin}/w/{company.workspace.pk}/runs/"
    form = f"{place.web.origin}/accounts/login/"
    with httpx.Client(timeout=40) as visitor, place.redis.hanging():
        reply, took_s = timed(lambda: httpx.get(page, cookies={"sessionid": session}, timeout=40))
        assert reply.status_code == 200
        assert took_s < START_S, f"{took_s:.1f} s"
        visitor.get(form)
        filled = {
            "login": company.member.email,
            "password": PASSWORD,
            "csrfmiddlewaretoken": visitor.cookies["csrftoken"],
        }
        reply, took_s = timed(lambda: visitor.post(form, data=filled))
        assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
        assert "does not answer at the moment" in reply.text
        assert took_s < START_S, f"{took_s:.1f} s"
