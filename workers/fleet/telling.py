"""The core's view as everybody reads it (`workers.queue.read_fleet`)."""

from __future__ import annotations

from collections import Counter, defaultdict

from workers.fleet.ageing import effective_level
from workers.fleet.capacity import Capacity
from workers.fleet.core import FleetCore
from workers.fleet.entries import LEVELS, Crew, Machine, Running
from workers.queue import RUN_TASK
from workers.queue.fleet import DeviceState, FleetState, NodeState, RunningRun, WaitingRun


def describe(core: FleetCore, *, leader: str, now: float) -> FleetState:
    """Return the state as of `now`.

    A machine with workers and without a node process is shown too, by its host's name. Commands for reviews take slots,
    which `busy` counts, and are no runs, so they are not listed.
    """
    waiting = sorted(
        (one for one in core.waiting.values() if one.task == RUN_TASK),
        key=lambda one: (effective_level(one, now=now), -one.waited(now), one.run_id),
    )
    return FleetState(
        at=now,
        leader=leader,
        nodes=_nodes(core, now=now),
        waiting=[
            WaitingRun(
                run_id=request.run_id,
                workspace_id=request.workspace_id,
                agent=request.agent,
                priority=LEVELS[request.level],
                effective_priority=LEVELS[effective_level(request, now=now)],
                since=request.since,
                reason=core.reasons.get(request.run_id, ""),
            )
            for request in waiting
        ],
        running=[
            _running(run)
            for run in sorted(core.running.values(), key=lambda run: run.admitted_at)
            if run.request.task == RUN_TASK
        ],
        limits=core.limits(),
    )


def _running(run: Running) -> RunningRun:
    request = run.request
    return RunningRun(
        run_id=request.run_id,
        fence=request.fence,
        workspace_id=request.workspace_id,
        agent=request.agent,
        priority=LEVELS[request.level],
        node=run.host,
        worker=run.worker,
        model=request.model,
        tokens_per_s=run.tokens_per_s,
        since=run.started_at or run.admitted_at,
        state=run.state,
    )


def _nodes(core: FleetCore, *, now: float) -> list[NodeState]:
    crews: defaultdict[str, list[Crew]] = defaultdict(list)
    for crew in core.resources.crews:
        crews[crew.host].append(crew)
    machines: dict[str, Machine] = {machine.host: machine for machine in core.resources.machines}
    busy = Counter(run.host for run in core.running.values())
    capacity = Capacity(core.resources, core.running.values())
    nodes = []
    for host in sorted(crews.keys() | machines.keys()):
        machine = machines.get(host)
        queues = {queue for crew in crews[host] for queue in crew.queues}
        nodes.append(
            NodeState(
                name=machine.name if machine else host,
                host=host,
                pid=machine.pid if machine else 0,
                queues=sorted(queues),
                slots=sum(crew.slots for crew in crews[host]),
                busy=busy[host],
                devices=[
                    DeviceState(
                        index=device.index,
                        name=device.name,
                        total_mb=device.total_mb,
                        free_mb=device.free_mb,
                        reserved_mb=capacity.reserved_mb(device),
                    )
                    for device in (machine.devices if machine else ())
                ],
                seen_at=now,
            )
        )
    return nodes
