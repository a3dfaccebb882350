"""FleetManager: the leader's loop around the core. Reads what was submitted and told, carries out what the core decides.

Everything that must outlive a leader stands in Redis (`workers.queue.waiting`); the inbox only wakes and tells what is new. So
a leader that takes over reads the hashes, then the inbox from where the last one stood, and goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson
import redis
from kombu.exceptions import OperationalError

from workers.fleet.announcing import read_members
from workers.fleet.core import FleetCore
from workers.fleet.entries import Action, Admit, Release, Request, Resources, Running, SendAgain, Suspend
from workers.fleet.lease import RENEW_S, Lease, LeaseLost, fenced
from workers.fleet.telling import describe
from workers.queue.fleet import INBOX_KEY, SHARES_KEY, STATE_KEY, STATE_TTL_S
from workers.queue.runs import suspend_run
from workers.queue.waiting import JOBS_KEY, RUNNING_KEY, WAITING_KEY
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
TICK_MS: Final = 200
"""For how long the leader waits for news before it looks at what time has changed."""
TELL_S: Final = 1.0
TELL_AT_MOST_S: Final = 0.1
"""The state is told at once on a change, but not more often than this."""
BATCH: Final = 1000
CURSOR_KEY: Final = "pyagent:fleet:cursor"
"""Up to where the inbox was read. What a new leader reads once more changes nothing the second time."""
GPU_LISTEN_S: Final = 4.0
"""After Redis was emptied nobody knows what is promised of GPUs: for one beat of every worker none is given away."""

_ADMIT = """
local raw = redis.call('HGET', KEYS[2], ARGV[2])
if not raw or cjson.decode(raw).fence ~= tonumber(ARGV[3]) then return false end
redis.call('HDEL', KEYS[2], ARGV[2])
local job = redis.call('HGET', KEYS[4], ARGV[2])
if not job then return false end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[4])
return job
"""
_STORE = """
for i = 2, #ARGV, 3 do
  local key = KEYS[1 + tonumber(ARGV[i])]
  if ARGV[i + 2] == '' then redis.call('HDEL', key, ARGV[i + 1])
  else redis.call('HSET', key, ARGV[i + 1], ARGV[i + 2]) end
end
return 1
"""
_TELL = """
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('SET', KEYS[3], ARGV[4])
return 1
"""

Send = Callable[[Running, dict[str, Any]], None]
"""Hands a job to a worker; raises OperationalError, RedisError or OSError when it cannot."""
_AWAY: Final = (redis.RedisError, OperationalError, OSError)


class FleetManager:
    """Leads the fleet while it holds the lease. `turn` does one round; call it for ever.

    Args:
        send: How a job is handed over; Celery when None.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        name: str,
        send: Send | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = client
        self._name = name
        self._send = send or send_by_celery
        self._clock = clock
        self.core = FleetCore()
        self.lease = Lease(client, name=name)
        self._renewed_at = float("-inf")
        self._looked_at = float("-inf")
        self._told_at = float("-inf")
        self._is_news = True
        self._inbox_id: bytes = b"0"
        self._gpus_from = 0.0
        self._stored: tuple[dict[str, Request], dict[str, tuple[Any, ...]]] = ({}, {})
        """What the two hashes hold, as far as this leader knows."""

    def turn(self, *, tick_ms: int = TICK_MS) -> bool:
        """Do one round, of at most about `tick_ms` when nothing happens; return whether this process leads.

        Raises:
            redis.RedisError: Redis is away.
        """
        if not self._keep_lease():
            return False
        try:
            self._look_around()
            self._read_inbox(tick_ms)
            self._store()
            self._carry_out(self.core.decide(now=self._clock()))
            self._store()
            self._tell()
        except LeaseLost:
            log.warning("the fleet has another leader now", name=self._name)
            self.lease.token = ""
        return self.lease.is_held

    def give_up(self) -> None:
        """Let another node lead at once."""
        self.lease.give_up()

    # --- leading -------------------------------------------------------------------------------------------------

    def _keep_lease(self) -> bool:
        now = self._clock()
        if self.lease.is_held and 0 <= now - self._renewed_at < RENEW_S:
            return True
        token = self.lease.token
        is_leader = self.lease.keep()
        self._renewed_at = now
        if is_leader and self.lease.token != token:
            self._take_over(now)
        return is_leader

    def _take_over(self, now: float) -> None:
        read_until: Any = self._redis.get(CURSOR_KEY)
        self._inbox_id = read_until or b"0"
        waiting_raw: Any = self._redis.hgetall(WAITING_KEY)
        running_raw: Any = self._redis.hgetall(RUNNING_KEY)
        waiting = {request.run_id: request for request in map(_request, waiting_raw.values())}
        running = [replace(run, heard_at=now) for run in map(_running, running_raw.values())]
        self.core.load(waiting, running, now=now)
        self._stored = (dict(waiting), {run.request.run_id: _stamp(run) for run in running})
        if not running:
            self._gpus_from = now + GPU_LISTEN_S
        self._looked_at = float("-inf")
        self._is_news = True
        log.info("leading the fleet", name=self._name, waiting=len(waiting), running=len(running))

    def _look_around(self) -> None:
        """Read who is there, each second and after news of shares."""
        now = self._clock()
        if 0 <= now - self._looked_at < TELL_S:
            return
        self._looked_at = now
        crews, machines = read_members(self._redis)
        shares_raw: Any = self._redis.hgetall(SHARES_KEY)
        shares = {int(key): float(weight) for key, weight in shares_raw.items()}
        if now < self._gpus_from:
            machines = [replace(machine, devices=()) for machine in machines]
        resources = Resources(crews=crews, machines=machines, shares=shares)
        if resources != self.core.resources:
            self.core.resources = resources
            self._is_news = True

    # --- what is told to the leader ------------------------------------------------------------------------------

    def _read_inbox(self, tick_ms: int) -> None:
        answer: Any = self._redis.xread({INBOX_KEY: self._inbox_id}, count=BATCH, block=max(1, tick_ms))
        now = self._clock()
        actions: list[Action] = []
        for _, entries in answer or ():
            for entry_id, fields in entries:
                self._inbox_id = entry_id
                self._is_news = True
                try:
                    actions += self._hear({key.decode(): value for key, value in fields.items()}, now)
                except (KeyError, ValueError, TypeError) as error:
                    log.error("news that make no sense", entry=entry_id.decode(), error=str(error))
        self._carry_out(actions)

    def _hear(self, told: Mapping[str, bytes], now: float) -> list[Action]:
        op, run_id = told["op"].decode(), told.get("run_id", b"").decode()
        core = self.core
        if op == "submit":
            return core.submit(_request(told["request"]), now=now)
        if op == "beat":
            speed, reason = float(told["tokens_per_s"]), told["reason"].decode()
            worker = told["worker"].decode()
            return core.hear(
                _request(told["request"]), worker=worker, tokens_per_s=speed, reason=reason, now=now
            )
        if op == "left":
            return core.leave(run_id, int(told["fence"]), reason=told["reason"].decode(), now=now)
        if op == "withdraw":
            core.withdraw(run_id)
        elif op == "priority":
            core.reprioritise(run_id, int(told["level"]))
        elif op == "shares":
            self._looked_at = float("-inf")
            self._look_around()
        else:
            raise ValueError(f"unknown news {op!r}")
        return []

    # --- what the leader does ------------------------------------------------------------------------------------

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            self._is_news = True
            if isinstance(action, Admit):
                self._admit(action.running)
            elif isinstance(action, SendAgain):
                self._send_again(action.running)
            elif isinstance(action, Suspend):
                log.info("a run makes room", run_id=action.run_id, fence=action.fence)
                suspend_run(action.run_id, fence=action.fence, client=self._redis)
            elif isinstance(action, Release):
                continue  # `_store` takes it out of the hash

    def _admit(self, run: Running) -> None:
        run_id, fence = run.request.run_id, run.request.fence
        keys = [WAITING_KEY, RUNNING_KEY, JOBS_KEY]
        job: Any = fenced(self._redis, self.lease, _ADMIT, keys, run_id, str(fence), orjson.dumps(run))
        self._stored[0].pop(run_id, None)
        if job is None:
            self.core.forget(run_id)
            return
        self._stored[1][run_id] = _stamp(run)
        self._hand_over(run, job)

    def _send_again(self, run: Running) -> None:
        job: Any = self._redis.hget(JOBS_KEY, run.request.run_id)
        if job is None:
            self.core.forget(run.request.run_id)
            return
        log.warning("nobody took a job; it is sent again", run_id=run.request.run_id, fence=run.request.fence)
        self._hand_over(run, job)

    def _hand_over(self, run: Running, job: bytes) -> None:
        try:
            self._send(run, orjson.loads(job))
        except _AWAY as error:
            log.warning(
                "a job could not be sent; it is tried again", run_id=run.request.run_id, error=str(error)
            )

    def _store(self) -> None:
        """Write what has changed since the hashes were last written."""
        waiting, running = self._stored
        changes: list[Any] = []
        for run_id, request in self.core.waiting.items():
            if waiting.get(run_id) is not request:
                changes += ["1", run_id, orjson.dumps(request)]
        changes += [
            part for run_id in waiting.keys() - self.core.waiting.keys() for part in ("1", run_id, "")
        ]
        stamps = {run_id: _stamp(run) for run_id, run in self.core.running.items()}
        for run_id, stamp in stamps.items():
            if running.get(run_id) != stamp:
                changes += ["2", run_id, orjson.dumps(self.core.running[run_id])]
                if stamp[1] != "admitted" and run_id not in self.core.waiting:
                    changes += ["3", run_id, ""]  # its worker has the job
        for run_id in running.keys() - stamps.keys():
            changes += ["2", run_id, ""]
            if run_id not in self.core.waiting:
                changes += ["3", run_id, ""]
        if changes:
            fenced(self._redis, self.lease, _STORE, [WAITING_KEY, RUNNING_KEY, JOBS_KEY], *changes)
        self._stored = (dict(self.core.waiting), stamps)

    def _tell(self) -> None:
        now = self._clock()
        silent_s = now - self._told_at
        if 0 <= silent_s < (TELL_AT_MOST_S if self._is_news else TELL_S):
            return
        self._told_at, self._is_news = now, False
        state = describe(self.core, leader=self._name, now=now)
        keys = [STATE_KEY, CURSOR_KEY]
        fenced(self._redis, self.lease, _TELL, keys, state.to_json(), str(STATE_TTL_S), self._inbox_id)


def _stamp(run: Running) -> tuple[Any, ...]:
    return run.request, run.state, run.rank, run.worker


def _request(text: bytes) -> Request:
    return Request.from_dict(orjson.loads(text))


def _running(text: bytes) -> Running:
    return Running.from_dict(orjson.loads(text))


def send_by_celery(run: Running, job: dict[str, Any]) -> None:
    """Hand a job to Celery: to the queue that every worker serves, or to that of the machine whose GPU it was given.

    Raises:
        OperationalError: the broker is away.
    """
    from workers.celery import app, gpu_queue

    request = run.request
    if request.needs_gpu:
        placed = {
            "gpu_host": request.gpu_host,
            "gpu_index": request.gpu_index,
            "gpu_memory_mb": request.gpu_memory_mb,
        }
        job = {**job, "needs": {**job.get("needs", {}), **placed}}
    app.send_task(
        request.task,
        args=[job],
        task_id=f"{request.run_id}:{request.fence}",
        queue=gpu_queue(request.gpu_host) if request.needs_gpu else "cpu",
        priority=3 * run.rank,
        retry_policy={"max_retries": 1, "interval_start": 0},
    )
