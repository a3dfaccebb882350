"""The waiting room: what is submitted stands in two Redis hashes until the fleet's leader admits it to Celery.

`waiting` holds what the leader orders by, `jobs` the jobs themselves, and the inbox wakes the leader. Submitting is one script,
so that a job is never there by half, and idempotent: the same run under the same fence keeps its place, a later fence takes it
over, an earlier one is dropped.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import orjson
import redis

from workers.config import get_config
from workers.queue.connecting import client_of
from workers.queue.fleet import INBOX_KEY, INBOX_LENGTH
from workers.queue.request import Request

WAITING_KEY = "pyagent:fleet:waiting"
JOBS_KEY = "pyagent:fleet:jobs"
RUNNING_KEY = "pyagent:fleet:running"
"""What the leader has admitted and no worker has let go of, so that the next leader knows."""
CANCEL_TTL_S = 3600

# KEYS: waiting, jobs, running, inbox. ARGV: run id, fence, request, job, length of the inbox.
_SUBMIT = """
local function read(key)
  local raw = redis.call('HGET', key, ARGV[1])
  return raw and cjson.decode(raw)
end
local fence, held, runs = tonumber(ARGV[2]), read(KEYS[1]), read(KEYS[3])
if held and held.fence > fence then return 0 end
if runs and runs.request.fence > fence then return 0 end
if not (runs and runs.request.fence == fence) then
  local asked = cjson.decode(ARGV[3])
  if held then
    for _, name in ipairs({'since', 'queued_at', 'waited_s', 'preemptions', 'not_before'}) do asked[name] = held[name] end
  end
  redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(asked))
end
if not (runs and runs.request.fence == fence and runs.state ~= 'admitted') then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
end
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[5], '*', 'op', 'submit', 'run_id', ARGV[1], 'request', ARGV[3])
return 1
"""


def connect() -> redis.Redis:
    """Return a client that gives up soon: who rings has others waiting, and the row is rung for again."""
    return client_of(get_config().redis_url, tries_again=3)


def submit(request: Request, job: dict[str, Any], *, client: redis.Redis | None = None) -> bool:
    """Put a job into the waiting room; return whether it is newer than, or the same as, what is known of that run.

    Raises:
        redis.RedisError: Redis is away; the row stays queued and is rung for again.
    """
    client = client or connect()
    now = time.time()
    request = replace(request, since=now, queued_at=now)
    keys = (WAITING_KEY, JOBS_KEY, RUNNING_KEY, INBOX_KEY)
    told: Any = client.eval(
        _SUBMIT,
        len(keys),
        *keys,
        request.run_id,
        str(request.fence),
        orjson.dumps(request),
        orjson.dumps(job),
        str(INBOX_LENGTH),
    )
    return bool(told)


def withdraw(run_id: str, *, client: redis.Redis) -> None:
    """Take a job out of the waiting room; one that was admitted is not touched."""
    fields: dict[Any, Any] = {"op": "withdraw", "run_id": run_id}
    with client.pipeline(transaction=True) as pipe:
        pipe.hdel(WAITING_KEY, run_id)
        pipe.hdel(JOBS_KEY, run_id)
        pipe.xadd(INBOX_KEY, fields, maxlen=INBOX_LENGTH, approximate=True)
        pipe.execute()
