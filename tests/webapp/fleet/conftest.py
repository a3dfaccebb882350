"""People and workspaces as the agents' tests have them, and a leader that speaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from tests.webapp.agents.conftest import (  # noqa: F401  fixtures
    _with_redis,
    browser,
    elsewhere,
    people,
    rung,
    workspace,
)
from webapp.agents.models import Run
from webapp.workspaces.models import Workspace
from workers.queue import DeviceState, FleetState, NodeState, RunningRun, WaitingRun
from workers.queue.fleet import STATE_KEY, STATE_TTL_S


def node(name: str = "alpha", *, slots: int = 2, busy: int = 0, **fields: Any) -> NodeState:
    """Return a machine that was heard of just now."""
    values: dict[str, Any] = {
        "host": f"{name}.example.org",
        "pid": 4711,
        "queues": ["cpu"],
        "devices": [],
        "seen_at": time.time(),
    }
    return NodeState(name=name, slots=slots, busy=busy, **{**values, **fields})


def waits(run: Run, **fields: Any) -> WaitingRun:
    """Return the leader's word about a run that waits."""
    values: dict[str, Any] = {
        "priority": run.priority,
        "effective_priority": run.priority,
        "since": time.time() - 90,
        "reason": "all slots are taken",
    }
    return WaitingRun(
        run_id=str(run.pk), workspace_id=run.workspace_id, agent=run.agent, **{**values, **fields}
    )


def works(run: Run, **fields: Any) -> RunningRun:
    """Return the leader's word about a run that has a slot."""
    values: dict[str, Any] = {
        "fence": run.fence,
        "priority": run.priority,
        "node": "alpha.example.org",
        "worker": "alpha:1",
        "model": "gpt (openai)",
        "tokens_per_s": 21.5,
        "since": time.time() - 30,
        "state": "running",
    }
    return RunningRun(
        run_id=str(run.pk), workspace_id=run.workspace_id, agent=run.agent, **{**values, **fields}
    )


def state(**fields: Any) -> FleetState:
    """Return what a leader says."""
    values: dict[str, Any] = {
        "at": time.time(),
        "leader": "alpha:4711",
        "nodes": [node()],
        "waiting": [],
        "running": [],
    }
    return FleetState(**{**values, **fields})


def gpu(free_mb: int = 30_720, **fields: Any) -> DeviceState:
    """Return a GPU of 80 GB."""
    return DeviceState(index=0, name="H100", total_mb=81_920, free_mb=free_mb, **fields)


@pytest.fixture
def leader(redis_client: redis.Redis) -> Callable[..., FleetState]:
    """Has the leader say something."""

    def say(**fields: Any) -> FleetState:
        told = state(**fields)
        redis_client.set(STATE_KEY, told.to_json(), ex=STATE_TTL_S)
        return told

    return say


@pytest.fixture
def make_run(people: Any) -> Callable[..., Run]:  # noqa: F811  the fixture
    """Makes a row, called by the member unless told otherwise."""

    def make(workspace: Workspace, status: str = "queued", **fields: Any) -> Run:  # noqa: F811
        values: dict[str, Any] = {
            "agent": "coder",
            "goal": "canary-9d1c",
            "requested_by": people.member,
            "model_label": "m (embedded)",
        }
        return Run.objects.create(workspace=workspace, status=status, **{**values, **fields})

    return make
