"""A dead process of this machine that held a job is found, and told of."""

from __future__ import annotations

import subprocess
from typing import Any

import orjson
import pytest
import redis

from workers.agents.claims import claim_value
from workers.events import STREAM_KEY, EvidenceInterrupted, RunInterrupted, claim_key, from_wire
from workers.fleet.entries import Running
from workers.queue import EvidenceJob
from workers.queue.fleet import INBOX_KEY
from workers.queue.request import EVIDENCE_TASK, RUN_TASK, Request, request_of_evidence
from workers.queue.waiting import RUNNING_KEY
from workers.tasks.losses import tell_losses


def request(run_id: str, *, fence: int = 1, task: str = RUN_TASK) -> Request:
    return Request(run_id=run_id, fence=fence, workspace_id=1, agent="coder", level=2, task=task)


def hold(client: redis.Redis, asked: Request, claim: bytes) -> None:
    entry = Running(request=asked, rank=2, admitted_at=0.0, heard_at=0.0, state="running")
    client.hset(RUNNING_KEY, asked.run_id, orjson.dumps(entry))
    client.set(claim_key(asked.run_id), claim)


@pytest.fixture
def dead() -> bytes:
    """The claim of a process that has ended."""
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    return orjson.dumps(orjson.loads(claim_value(1)) | {"pid": child.pid, "started": "1"})


def told(client: redis.Redis) -> list[Any]:
    entries: Any = client.xrange(STREAM_KEY)
    return [from_wire(orjson.loads(fields[b"event"])) for _, fields in entries]


def test_tells_relay_and_fleet_of_a_run_whose_process_is_gone(redis_client: redis.Redis, dead: bytes) -> None:
    hold(redis_client, request("gone"), dead)
    hold(redis_client, request("here"), claim_value(1))
    hold(redis_client, request("elsewhere"), orjson.dumps(orjson.loads(dead) | {"host": "another"}))
    hold(redis_client, request("later", fence=2), dead)
    hold(redis_client, request("unclaimed"), b"")
    redis_client.delete(claim_key("unclaimed"))
    assert tell_losses(redis_client) == ["gone"]
    (event,) = told(redis_client)
    assert isinstance(event, RunInterrupted) and event.is_loss
    assert (event.run_id, event.fence, event.run_seq) == ("gone", 1, 0)
    ((_, news),) = redis_client.xrange(INBOX_KEY)
    assert (news[b"op"], news[b"run_id"], news[b"reason"]) == (b"left", b"gone", b"lost")


def test_tells_of_a_commands_death_once(redis_client: redis.Redis, dead: bytes) -> None:
    job = EvidenceJob(evidence_id=7, workspace_id=1, tree="t", command="true", wall_s=1.0)
    asked = request_of_evidence(job)
    assert asked.task == EVIDENCE_TASK
    hold(redis_client, asked, dead)
    assert tell_losses(redis_client) == ["evidence-7"]
    assert tell_losses(redis_client) == []
    (event,) = told(redis_client)
    assert isinstance(event, EvidenceInterrupted) and event.evidence_id == 7


def test_leaves_what_has_ended_alone(redis_client: redis.Redis) -> None:
    hold(redis_client, request("evidence-1", task=EVIDENCE_TASK), b"done")
    assert tell_losses(redis_client) == []
    assert told(redis_client) == []
