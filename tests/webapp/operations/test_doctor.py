"""What `doctor` says of the fleet."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from webapp.operations import doctor
from webapp.operations.doctor import Finding, examine
from workers.celery import app
from workers.config import get_config
from workers.queue import FleetState, NodeState
from workers.queue.fleet import STATE_KEY


def fleet(client: redis.Redis, *nodes: NodeState) -> Finding:
    state = FleetState(at=time.time(), leader="alpha:1", nodes=list(nodes), waiting=[], running=[])
    client.set(STATE_KEY, state.to_json())
    return examine(("fleet",))[0]


def test_says_that_nobody_leads_the_fleet(redis_client: redis.Redis):
    (found,) = examine(("fleet",))
    assert not found.is_healthy
    assert "runs stay queued" in found.why
    assert "python -m workers.node" in found.why


@pytest.mark.parametrize("slots", [0, 2])
def test_says_who_leads_and_whether_anybody_can_work(redis_client: redis.Redis, slots: int):
    node = NodeState(
        name="alpha", host="a", pid=1, queues=["cpu"], slots=slots, busy=0, devices=[], seen_at=time.time()
    )
    found = fleet(redis_client, node)
    assert found.is_healthy is bool(slots)
    assert found.where.startswith("led by alpha:1; 1 node")
    assert f"{slots} slots, no GPU" in found.where
    assert ("No worker" in found.why) is (slots == 0)


@pytest.mark.parametrize("component", ["redis", "relay", "workers", "fleet"])
def test_says_in_words_that_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, component: str):
    url = f"unix://{tmp_path}/valkey.sock"
    away = replace(get_config(), redis_url=url)
    monkeypatch.setattr(doctor, "get_config", lambda: away)
    monkeypatch.setattr(doctor, "redis_client", lambda: redis.Redis.from_url(url))
    monkeypatch.setattr(app.conf, "broker_write_url", f"redis+socket://{tmp_path}/valkey.sock")
    (found,) = examine((component,))
    assert (found.is_healthy, found.where) == (False, url)
    assert "make run" in found.why
