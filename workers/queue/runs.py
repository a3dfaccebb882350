"""Handing runs to the engine, and telling it what people want of them.

The row in the database is the truth about a run; Redis only rings. So submitting twice does no harm: a worker takes a run
only with the fencing number it was handed, and a row's lease tells who holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
import redis

from workers.events import cancel_key, steer_key, suspend_key
from workers.queue.fleet import INBOX_KEY, INBOX_LENGTH, SHARES_KEY
from workers.queue.job import Job
from workers.queue.request import LEVELS, request_of
from workers.queue.waiting import CANCEL_TTL_S, connect, submit, withdraw

# Celery on Redis serves 0 first; these four are its steps.
PRIORITIES = {name: 3 * level for level, name in enumerate(LEVELS)}


def submit_run(job: Job, *, client: redis.Redis | None = None) -> None:
    """Put `job` into the fleet's waiting room, from where the fleet's leader hands it to a worker.

    Raises:
        redis.RedisError: Redis is away; the row stays queued and is rung for again.
    """
    submit(request_of(job), asdict(job), client=client)


def cancel_run(run_id: str, *, client: redis.Redis | None = None) -> None:
    """Take `run_id` out of the waiting room, and ask the worker that holds it to stop at its next token or step."""
    client = client or connect()
    client.set(cancel_key(run_id), "1", ex=CANCEL_TTL_S)
    withdraw(run_id, client=client)


def withdraw_run(run_id: str, *, client: redis.Redis | None = None) -> None:
    """Take `run_id` out of the waiting room: its row is not queued any more."""
    withdraw(run_id, client=client or connect())


def suspend_run(run_id: str, *, fence: int, client: redis.Redis | None = None) -> None:
    """Ask the worker that holds `run_id` under `fence` to suspend it at its next token or step; a later attempt is not meant."""
    client = client or connect()
    client.set(suspend_key(run_id), str(fence), ex=CANCEL_TTL_S)


def steer_run(run_id: str, note: dict[str, Any], *, client: redis.Redis | None = None) -> None:
    """Hand a person's note to the worker that holds `run_id`; the row keeps it for a worker that comes later."""
    client = client or connect()
    fields: dict[Any, Any] = {"note": orjson.dumps(note)}
    with client.pipeline(transaction=True) as pipe:
        pipe.xadd(steer_key(run_id), fields, maxlen=100)
        pipe.expire(steer_key(run_id), CANCEL_TTL_S)
        pipe.execute()


def has_notes(run_id: str, *, client: redis.Redis | None = None) -> bool:
    """Return whether Redis still holds what was rung for `run_id` by `steer_run`."""
    client = client or connect()
    return bool(client.exists(steer_key(run_id)))


def reprioritise_run(run_id: str, priority: str, *, client: redis.Redis | None = None) -> None:
    """Tell the fleet that `run_id` has another priority from now on, whether it waits or runs.

    Args:
        priority: One of `PRIORITIES`.

    Raises:
        KeyError: there is no such priority.
        redis.RedisError: Redis is away; the row keeps the priority, and the next ring carries it.
    """
    client = client or connect()
    fields: dict[Any, Any] = {"op": "priority", "run_id": run_id, "level": PRIORITIES[priority] // 3}
    client.xadd(INBOX_KEY, fields, maxlen=INBOX_LENGTH, approximate=True)


def set_shares(shares: Mapping[int, float], *, client: redis.Redis | None = None) -> None:
    """Set how much of the fleet each of these workspaces gets beside the others; one that was never set has weight 1.

    Redis may forget it like everything in flight; whoever holds the rows sets it again now and then.

    Raises:
        ValueError: a weight is not above 0.
        redis.RedisError: Redis is away.
    """
    if any(not weight > 0 for weight in shares.values()):
        raise ValueError("a share is a weight above 0")
    if not shares:
        return
    client = client or connect()
    weights: dict[Any, Any] = {str(workspace_id): weight for workspace_id, weight in shares.items()}
    fields: dict[Any, Any] = {"op": "shares"}
    with client.pipeline(transaction=True) as pipe:
        pipe.hset(SHARES_KEY, mapping=weights)
        pipe.xadd(INBOX_KEY, fields, maxlen=INBOX_LENGTH, approximate=True)
        pipe.execute()
