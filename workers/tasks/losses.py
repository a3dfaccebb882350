"""Finds jobs whose process on this machine has died, and says so, so that nobody need wait until a lease has run out.

The parent of Celery's children looks each second, and first when it starts: so it finds what a killed child left, and what a
worker left that was killed as a whole before. The broker tells of the first at once, and of the second only after an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
import redis

from workers.agents.claims import has_died_here
from workers.agents.runner import worker_name
from workers.events import STREAM_KEY, EngineEvent, EvidenceInterrupted, RunInterrupted, claim_key, to_wire
from workers.fleet.entries import Running
from workers.queue.reporting import report_now
from workers.queue.request import RUN_TASK, Request, evidence_id_of
from workers.queue.waiting import RUNNING_KEY
from workers.reasoning.publisher import STREAM_LENGTH
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
# Of several that see the same death, one tells; and what is told of is not claimed again by then.
_FORGET: Final = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)


def tell_losses(client: redis.Redis) -> list[str]:
    """Tell of every admitted job that a dead process of this machine holds; return their names.

    Raises:
        redis.RedisError: Redis is away.
    """
    admitted: Any = client.hgetall(RUNNING_KEY)
    if not admitted:
        return []
    requests = [Running.from_dict(orjson.loads(text)).request for text in admitted.values()]
    claims: Any = client.mget([claim_key(request.run_id) for request in requests])
    return [
        request.run_id
        for request, claim in zip(requests, claims, strict=True)
        if (held := read_claim(claim)).get("fence") == request.fence
        and has_died_here(held)
        and tell_loss(client, request, claim)
    ]


def read_claim(text: bytes | None) -> Mapping[str, Any]:
    """Return who holds a job; nothing when nobody does, or when it is done."""
    try:
        held = orjson.loads(text or b"{}")
    except ValueError:
        return {}
    return held if isinstance(held, dict) else {}


def tell_loss(client: redis.Redis, request: Request, claim: bytes) -> bool:
    """Tell the relay and the fleet that the process behind `claim` died; return whether nobody had before.

    A run keeps its slot for the moment that it takes to be rung for again.

    Raises:
        redis.RedisError: Redis is away.
    """
    event: EngineEvent
    if request.task == RUN_TASK:
        reason = "lost"
        event = RunInterrupted(
            run_id=request.run_id, fence=request.fence, run_seq=0, reason="its worker is gone", is_loss=True
        )
    else:
        if not client.eval(_FORGET, 1, claim_key(request.run_id), claim):
            return False
        reason = "interrupted"  # it is rung for again under the same fence, which finds it gone
        event = EvidenceInterrupted(evidence_id=evidence_id_of(request.run_id))
    log.warning("the process that held a job is gone", job=request.run_id, fence=request.fence)
    # The slot first: a ring for a job that the leader takes for active would be dropped.
    report_now(client, "left", request, worker=worker_name(), reason=reason)
    fields: Any = {"event": orjson.dumps(to_wire(event))}
    client.xadd(STREAM_KEY, fields, maxlen=STREAM_LENGTH, approximate=True)
    return True
