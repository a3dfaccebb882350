from __future__ import annotations

import time

import pytest
import redis

from workers.queue import DeviceState, FleetState, NodeState, RunningRun, WaitingRun, read_fleet, set_shares
from workers.queue.fleet import SHARES_KEY, STATE_KEY

STATE = FleetState(
    at=time.time(),
    leader="one:1",
    nodes=[
        NodeState(
            name="one",
            host="one",
            pid=1,
            queues=["cpu", "gpu"],
            slots=2,
            busy=1,
            devices=[DeviceState(index=0, name="H100", total_mb=80_000, free_mb=70_000, reserved_mb=4_000)],
            seen_at=time.time(),
        )
    ],
    waiting=[
        WaitingRun(
            run_id="a",
            workspace_id=1,
            agent="coder",
            priority="low",
            effective_priority="high",
            since=1.0,
            reason="all slots are taken",
        )
    ],
    running=[
        RunningRun(
            run_id="b",
            fence=2,
            workspace_id=1,
            agent="coder",
            priority="standard",
            node="one",
            worker="one:7",
            model="openai/m",
            tokens_per_s=12.5,
            since=2.0,
            state="running",
        )
    ],
)


def test_says_what_was_written_and_nothing_once_the_leader_is_gone(redis_client: redis.Redis) -> None:
    assert read_fleet(redis_client) is None
    redis_client.set(STATE_KEY, STATE.to_json())
    assert read_fleet(redis_client) == STATE


def test_reads_what_a_newer_leader_wrote_and_refuses_what_makes_no_sense(redis_client: redis.Redis) -> None:
    newer = STATE.to_json().replace(b'"host":"one"', b'"host":"one","mood":"fine"')
    redis_client.set(STATE_KEY, newer)
    assert read_fleet(redis_client) == STATE
    redis_client.set(STATE_KEY, b'{"at": 1}')
    with pytest.raises(ValueError, match="cannot be read"):
        read_fleet(redis_client)


def test_keeps_shares_and_refuses_weights_that_are_none(redis_client: redis.Redis) -> None:
    set_shares({1: 2.5, 7: 1}, client=redis_client)
    assert redis_client.hgetall(SHARES_KEY) == {b"1": b"2.5", b"7": b"1"}
    for weight in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            set_shares({1: weight}, client=redis_client)
