"""The leader on a real Redis: submissions, failover, fencing, a Redis that was emptied. Workers are played by hand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from tests.framework.redis import RedisServer
from workers.events import suspend_key
from workers.fleet.announcing import announce, read_members, retire
from workers.fleet.entries import Crew, Device, Machine, Running
from workers.fleet.lease import LEADER_KEY, LEASE_S, Lease, LeaseLost, fenced
from workers.fleet.manager import FleetManager
from workers.queue import Job, cancel_run, read_fleet, reprioritise_run, set_shares, submit_run
from workers.queue.reporting import report
from workers.queue.request import request_of
from workers.queue.waiting import JOBS_KEY, RUNNING_KEY, WAITING_KEY

CREW = Crew(name="w", host="one", pid=1, queues=("cpu", "gpu"), slots=2)


def job(run_id: str = "", **fields: Any) -> Job:
    plain: dict[str, Any] = {
        "fence": 1,
        "workspace_id": 1,
        "agent": "coder",
        "goal": "",
        "base_commit": "a" * 40,
        "model": {"provider": "openai", "model": "m"},
    }
    return Job(run_id=run_id or str(uuid.uuid4()), **{**plain, **fields})


class Hand:
    """A manager whose jobs end up in a list, and workers that are moved by hand."""

    def __init__(self, client: redis.Redis, url: str, name: str = "one") -> None:
        self.client, self.url = client, url
        self.sent: list[tuple[Running, dict[str, Any]]] = []
        self.manager = FleetManager(client, name=name, send=lambda run, job: self.sent.append((run, job)))
        announce(client, CREW)

    def turn(self, times: int = 1) -> list[str]:
        """Return the runs that were handed over meanwhile."""
        before = len(self.sent)
        for _ in range(times):
            self.manager.turn(tick_ms=1)
        return [run.request.run_id for run, _ in self.sent[before:]]

    def tell(self, op: Any, job: Job, **fields: Any) -> None:
        async def tell() -> None:
            client = redis.asyncio.Redis.from_url(self.url)
            await report(client, op, request_of(job), worker="one:7", **fields)
            await client.aclose()

        asyncio.run(tell())

    def job_of(self, run_id: str) -> Job:
        return next(Job(**job) for run, job in reversed(self.sent) if run.request.run_id == run_id)


@pytest.fixture
def hand(redis_client: redis.Redis, redis_server: RedisServer) -> Hand:
    return Hand(redis_client, redis_server.url)


def test_hands_over_what_was_submitted_with_the_whole_job(hand: Hand) -> None:
    wanted = job(goal="ünïcode 💡", history=[{"step_id": "s1", "detail": {}}], needs={}, lessons=[])
    submit_run(wanted, client=hand.client)
    assert hand.turn() == [wanted.run_id]
    assert hand.sent[0][1] == asdict(wanted)
    assert hand.client.hlen(WAITING_KEY) == 0


def test_admits_by_priority_and_no_more_than_there_are_slots(hand: Hand) -> None:
    jobs = [job(priority=priority) for priority in ("low", "standard", "high", "critical")]
    for one in jobs:
        submit_run(one, client=hand.client)
    assert hand.turn() == [jobs[3].run_id, jobs[2].run_id]
    state = read_fleet(hand.client)
    assert state is not None
    assert [run.priority for run in state.waiting] == ["standard", "low"]
    assert {run.reason for run in state.waiting} == {"all slots are taken"}
    assert [(node.host, node.slots) for node in state.nodes] == [("one", 2)]


def test_a_slot_is_given_on_when_its_worker_lets_go_and_the_state_follows(hand: Hand) -> None:
    jobs = [job() for _ in range(3)]
    for one in jobs:
        submit_run(one, client=hand.client)
    hand.turn()
    hand.tell("beat", jobs[0], tokens_per_s=12.5)
    time.sleep(0.11)
    hand.turn()
    state = read_fleet(hand.client)
    assert state is not None
    (run,) = [run for run in state.running if run.state == "running"]
    assert (run.node, run.worker, run.model, run.tokens_per_s) == ("one", "one:7", "openai/m", 12.5)
    assert [node.busy for node in state.nodes] == [1]
    assert not hand.client.hexists(JOBS_KEY, jobs[0].run_id), "its worker has the job"
    hand.tell("left", jobs[0])
    assert hand.turn(2) == [jobs[2].run_id]
    assert set(hand.client.hkeys(RUNNING_KEY)) == {jobs[1].run_id.encode(), jobs[2].run_id.encode()}


def test_ringing_twice_runs_once_and_a_later_fence_runs_again(hand: Hand) -> None:
    one = job()
    for _ in range(3):
        submit_run(one, client=hand.client)
    assert hand.turn() == [one.run_id]
    hand.tell("beat", one)
    submit_run(one, client=hand.client)
    assert hand.turn(2) == []
    submit_run(replace(one, fence=2), client=hand.client)
    submit_run(one, client=hand.client)
    assert hand.turn(2) == [one.run_id]
    assert hand.job_of(one.run_id).fence == 2


def test_a_critical_run_makes_the_lowest_let_go_and_that_one_goes_on_by_itself(hand: Hand) -> None:
    low, standard = job(priority="low"), job()
    for one in (low, standard):
        submit_run(one, client=hand.client)
    hand.turn()
    for one in (low, standard):
        hand.tell("beat", one)
    hand.turn()
    time.sleep(1.0)
    urgent = job(priority="critical")
    submit_run(urgent, client=hand.client)
    assert hand.turn() == []
    assert hand.client.get(suspend_key(low.run_id)) == b"1"
    assert hand.client.get(suspend_key(standard.run_id)) is None
    submit_run(replace(low, fence=2), client=hand.client)
    assert hand.turn(2) == [urgent.run_id]
    hand.tell("left", low, reason="suspended")
    hand.tell("left", urgent)
    assert hand.turn(2) == [low.run_id]


def test_what_people_stop_is_not_admitted(hand: Hand) -> None:
    one = job()
    submit_run(one, client=hand.client)
    cancel_run(one.run_id, client=hand.client)
    assert hand.turn(2) == []
    assert hand.client.hlen(JOBS_KEY) == 0


def test_priorities_and_shares_are_heard(hand: Hand) -> None:
    jobs = [job(workspace_id=1) for _ in range(6)] + [job(workspace_id=2) for _ in range(6)]
    set_shares({1: 2.0}, client=hand.client)
    hand.turn()
    for one in jobs:
        submit_run(one, client=hand.client)
    reprioritise_run(jobs[11].run_id, "critical", client=hand.client)
    done = hand.turn()
    assert jobs[11].run_id in done
    while len(hand.sent) < 8:
        for run_id in done:
            hand.tell("left", hand.job_of(run_id))
        done = hand.turn(2)
    workspaces = [run.request.workspace_id for run, _ in hand.sent[1:7]]
    assert (workspaces.count(1), workspaces.count(2)) == (4, 2)


# --- leading ---------------------------------------------------------------------------------------------------------


def test_another_node_takes_over_with_everything_that_was_there(
    hand: Hand, redis_server: RedisServer
) -> None:
    jobs = [job() for _ in range(3)]
    for one in jobs:
        submit_run(one, client=hand.client)
    hand.turn()
    heir = Hand(redis_server.client, redis_server.url, "two")
    assert not heir.manager.turn(tick_ms=1), "the first one leads"
    hand.tell("left", jobs[0])  # said while nobody listens any more
    hand.client.delete(LEADER_KEY)
    assert heir.turn(2) == [jobs[2].run_id]
    state = read_fleet(hand.client)
    assert state is not None and state.leader == "two"
    assert {run.run_id for run in state.running} == {jobs[1].run_id, jobs[2].run_id}


def test_a_leader_that_slept_while_another_took_over_changes_nothing(
    hand: Hand, redis_server: RedisServer
) -> None:
    hand.turn()
    hand.client.delete(LEADER_KEY)
    heir = Hand(redis_server.client, redis_server.url, "two")
    heir.turn()
    submit_run(job(), client=hand.client)
    assert hand.turn() == [], "it still takes itself for the leader, and is refused"
    assert not hand.manager.lease.is_held
    assert len(heir.turn()) == 1


def test_the_script_of_a_lost_lease_is_refused(redis_client: redis.Redis) -> None:
    lease = Lease(redis_client, name="a")
    assert lease.keep()
    assert fenced(redis_client, lease, "return redis.call('SET', KEYS[2], ARGV[2])", ["k"], "1") == b"OK"
    redis_client.set(LEADER_KEY, "b")
    with pytest.raises(LeaseLost):
        fenced(redis_client, lease, "return redis.call('SET', KEYS[2], ARGV[2])", ["k"], "2")
    assert redis_client.get("k") == b"1"
    assert not lease.keep()


def test_a_redis_that_was_emptied_is_healed_by_rings_and_beats(hand: Hand) -> None:
    jobs = [job() for _ in range(2)]
    for one in jobs:
        submit_run(one, client=hand.client)
    hand.turn()
    for one in jobs:
        hand.tell("beat", one)
    hand.turn()
    waits = job()
    submit_run(waits, client=hand.client)
    hand.turn()
    hand.client.flushall()
    announce(hand.client, CREW)
    submit_run(waits, client=hand.client)
    hand.manager._renewed_at = float("-inf")
    assert hand.turn(2) == [], "both slots are taken, and the leader knows it still"
    hand.tell("left", jobs[0])
    assert hand.turn(2) == [waits.run_id]


def test_a_new_leader_of_an_emptied_redis_gives_no_gpu_away_before_it_has_listened(hand: Hand) -> None:
    device = Device(host="one", index=0, name="H100", total_mb=80_000, free_mb=80_000)
    announce(hand.client, Machine(name="one", host="one", pid=1, devices=(device,)))
    submit_run(job(needs={"gpu": True, "gpu_memory_mb": 60_000}), client=hand.client)
    assert hand.turn() == []
    clock = time.time
    hand.manager._clock = lambda: clock() + 5
    assert len(hand.turn(2)) == 1
    assert hand.sent[0][0].request.gpu_index == 0


def test_news_that_make_no_sense_stop_nobody(hand: Hand) -> None:
    hand.turn()
    for fields in (
        {"op": "dance"},
        {"op": "left", "run_id": "x"},
        {"nothing": "1"},
        {"op": "submit", "request": "{"},
    ):
        hand.client.xadd("pyagent:fleet:inbox", fields)  # type: ignore[arg-type]
    one = job()
    submit_run(one, client=hand.client)
    assert hand.turn(2) == [one.run_id]


def test_members_fade_and_retire(redis_client: redis.Redis) -> None:
    announce(redis_client, CREW)
    announce(redis_client, Machine(name="one", host="one", pid=1))
    assert [len(kind) for kind in read_members(redis_client)] == [1, 1]
    retire(redis_client, CREW)
    redis_client.delete("pyagent:fleet:machine:one")
    assert read_members(redis_client) == ([], [])
    assert redis_client.scard("pyagent:fleet:members") == 0


# --- the process -----------------------------------------------------------------------------------------------------


class Nodes:
    """Node processes on one Redis."""

    def __init__(self, home: Path, url: str) -> None:
        self.environment = {
            "PYAGENT_HOME": str(home),
            "REDIS_URL": url,
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.node"], cwd=Path(__file__).parents[3], env=self.environment
        )
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(10)


@pytest.fixture
def nodes(tmp_path: Path, redis_client: redis.Redis, redis_server: RedisServer) -> Iterator[Nodes]:
    nodes = Nodes(tmp_path, redis_server.url)
    yield nodes
    nodes.end()


def wait_until(seen: Callable[[], Any], *, within_s: float = 20.0) -> float:
    began = time.monotonic()
    while not seen():
        assert time.monotonic() - began < within_s
        time.sleep(0.01)
    return time.monotonic() - began


def leader_of(client: redis.Redis) -> str:
    return (client.get(LEADER_KEY) or b"").decode().partition("#")[0]


def test_a_leader_that_is_killed_is_replaced_within_the_lease(
    nodes: Nodes, redis_client: redis.Redis
) -> None:
    first = nodes.start()
    wait_until(lambda: leader_of(redis_client))
    nodes.start()
    time.sleep(1.5)
    old = leader_of(redis_client)
    assert old.endswith(f":{first.pid}")
    first.kill()
    took_s = wait_until(lambda: leader_of(redis_client) not in ("", old))
    assert took_s < LEASE_S + 2.0
    assert LEASE_S <= 3.0
    wait_until(
        lambda: (state := read_fleet(redis_client)) is not None and state.leader == leader_of(redis_client)
    )


def test_a_node_that_is_told_to_end_gives_the_lease_up_at_once(
    nodes: Nodes, redis_client: redis.Redis
) -> None:
    first = nodes.start()
    wait_until(lambda: read_fleet(redis_client))
    first.terminate()
    assert first.wait(5) == 0
    assert redis_client.get(LEADER_KEY) is None
