"""What the worker of a job tells the fleet's leader: that it has begun, that it lives, that it has let go of the slot.

It tells these itself, beside the engine's events. Those are the relay's: it takes each off the stream as soon as its row is
written, so that a second reader would miss some; and they say when a run has ended, which is before its worker is free.
Each report holds the whole request, so that a leader whose Redis was emptied knows all active jobs again after one beat.
"""

from __future__ import annotations

from typing import Any, Literal

import orjson
import redis
import redis.asyncio

from workers.queue.fleet import INBOX_KEY, INBOX_LENGTH
from workers.queue.request import Request

Op = Literal["beat", "left"]


def _entry(op: Op, request: Request, worker: str, tokens_per_s: float, reason: str) -> dict[Any, Any]:
    return {
        "op": op,
        "run_id": request.run_id,
        "fence": request.fence,
        "worker": worker,
        "tokens_per_s": tokens_per_s,
        "reason": reason,
        "request": orjson.dumps(request),
    }


async def report(
    client: redis.asyncio.Redis,
    op: Op,
    request: Request,
    *,
    worker: str,
    tokens_per_s: float = 0.0,
    reason: str = "",
) -> None:
    """Tell the leader. Without Redis nothing is told: a beat comes again, and a slot that is not given back fades.

    Args:
        op: "beat" for a job that has begun or goes on, "left" once its worker is free again.
        worker: Which process holds it, "host:pid".
        reason: For "left": why, when the run is to come back; empty when it has ended.
    """
    try:
        entry = _entry(op, request, worker, tokens_per_s, reason)
        await client.xadd(INBOX_KEY, entry, maxlen=INBOX_LENGTH, approximate=True)
    except (redis.RedisError, OSError, TimeoutError):
        return


def report_now(client: redis.Redis, op: Op, request: Request, *, worker: str, reason: str = "") -> None:
    """Tell the leader from code that is not asynchronous; as `report`."""
    try:
        entry = _entry(op, request, worker, 0.0, reason)
        client.xadd(INBOX_KEY, entry, maxlen=INBOX_LENGTH, approximate=True)
    except (redis.RedisError, OSError):
        return
