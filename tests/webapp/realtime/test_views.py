"""Health says the truth; metrics are the owner's."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis
from django.test import Client

from tests.framework.people import Company
from tests.framework.redis import RedisServer
from webapp.agents.models import Run
from webapp.realtime import metrics as _counted_by_the_process  # noqa: F401  what the sockets register
from webapp.realtime.relay import HEARTBEAT_KEY
from workers.fleet.manager import FleetManager

pytestmark = pytest.mark.django_db


def test_is_alive_without_asking_anything(client: Client):
    assert client.get("/healthz").content == b"ok\n"


def test_is_ready_when_the_relay_was_heard_of_and_the_fleet_is_led(client: Client, redis_client: redis.Redis):
    redis_client.set(HEARTBEAT_KEY, time.time())
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert "no node process" in reply.json()["parts"]["fleet"]
    FleetManager(redis_client, name="one").turn(tick_ms=1)
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json()["is_ready"]) == (200, True)


@pytest.mark.parametrize("heard_s_ago", [None, 16])
def test_is_not_ready_without_a_relay(client: Client, redis_client: redis.Redis, heard_s_ago: int | None):
    if heard_s_ago:
        redis_client.set(HEARTBEAT_KEY, time.time() - heard_s_ago)
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert reply["Retry-After"]
    assert "relay" in reply.json()["parts"]["relay"]
    assert reply.json()["parts"]["database"] == "ok"


def test_is_not_ready_without_redis(client: Client, redis_server: RedisServer):
    redis_server.kill()
    try:
        reply = client.get("/readyz")
    finally:
        redis_server.start()
    assert reply.status_code == 503
    assert reply.json()["parts"]["redis"] == "Redis does not answer"


def test_shows_metrics_to_the_owner_alone(company: Company, api_key: Callable[..., dict[str, str]]):
    Run.objects.create(workspace=company.workspace, agent="coder", goal="x")
    company.owner.is_installation_owner = True
    company.owner.save()
    text = company.client(company.owner).get("/metrics").content.decode()
    assert 'pyagent_runs{status="queued"} 1.0' in text
    assert "pyagent_relay_backlog 0.0" in text
    assert "pyagent_sockets_open" in text
    for person in (company.maintainer, company.stranger, None):
        assert company.client(person).get("/metrics").status_code == 404
    ask = company.client(None).get
    assert ask("/metrics", headers=api_key(company.owner, "admin")).status_code == 200
    assert ask("/metrics", headers=api_key(company.owner, "read")).status_code == 404
    assert (
        ask("/metrics", headers=api_key(company.owner, "admin", workspace=company.workspace)).status_code
        == 404
    )
    assert ask("/metrics", headers=api_key(company.member, "admin")).status_code == 404
    assert ask("/metrics", headers={"Authorization": "Bearer pya_wrong"}).status_code == 404
