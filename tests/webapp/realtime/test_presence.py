"""Who is here: merged over tabs and processes, told as differences."""

from __future__ import annotations

import pytest
import redis.asyncio as aioredis

from tests.framework.people import Company
from tests.framework.redis import RedisServer
from tests.framework.web import Web
from webapp.realtime.presence import GONE_AFTER_S, Presence, Seen, merge


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def client(redis_server: RedisServer, redis_client: object):
    connection = aioredis.Redis.from_url(redis_server.url)
    yield connection
    await connection.aclose()


def test_counts_a_person_as_active_when_any_tab_is():
    seen = merge([Seen(1, "idle", "#a"), Seen(1, "active", "#b"), Seen(1, "idle", "#c"), Seen(2, "idle", "")])
    assert {s.user_id: (s.state, s.place) for s in seen} == {1: ("active", "#b"), 2: ("idle", "")}


async def test_tells_differences_only(client: aioredis.Redis):
    presence = Presence(1, clock=Clock())
    assert await presence.beat(client, [Seen(1, "active", "")]) == [
        {"user_id": 1, "state": "active", "place": ""}
    ]
    assert await presence.beat(client, [Seen(1, "active", "")]) == []
    assert await presence.beat(client, [Seen(1, "idle", "")]) == [
        {"user_id": 1, "state": "idle", "place": ""}
    ]
    assert await presence.beat(client, []) == [{"user_id": 1, "state": "gone", "place": ""}]


async def test_knows_the_people_of_other_processes(client: aioredis.Redis):
    here, there = Presence(1, clock=Clock()), Presence(1, clock=Clock())
    await here.beat(client, [Seen(1, "active", "")])
    assert {s["user_id"] for s in await there.beat(client, [Seen(2, "active", "")])} == {1, 2}
    await here.beat(client, [Seen(1, "active", ""), Seen(2, "idle", "")])
    assert {p["user_id"]: p["state"] for p in here.snapshot()} == {1: "active", 2: "active"}


async def test_forgets_the_people_of_a_process_that_died(client: aioredis.Redis):
    clock = Clock()
    dead, alive = Presence(1, clock=clock), Presence(1, clock=clock)
    await dead.beat(client, [Seen(1, "active", "")])
    await alive.beat(client, [])
    clock.now += GONE_AFTER_S + 1
    assert await alive.beat(client, []) == [{"user_id": 1, "state": "gone", "place": ""}]


@pytest.mark.django_db(transaction=True)
def test_shows_who_comes_and_goes(company: Company, web: Web):
    first = web.tab(company.client(company.member), company.workspace.pk)
    first.hello()
    second = web.tab(company.client(company.viewer), company.workspace.pk)
    second.hello()
    second.send(type="presence", state="idle", place="#general")

    def is_idle(message: dict) -> bool:
        return {"user_id": company.viewer.pk, "state": "idle", "place": "#general"} in message["people"]

    first.wait_for("presence", is_idle)
    second.socket.close_socket()
    gone = {"user_id": company.viewer.pk, "state": "gone", "place": ""}
    first.wait_for("presence", lambda m: gone in m["people"], timeout_s=8)
