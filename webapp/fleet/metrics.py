"""Figures of the fleet for Prometheus, read when asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily, Metric

from webapp.agents.models import Run
from webapp.agents.selectors import given_up
from webapp.fleet.selectors import fleet_state
from workers.queue import PRIORITIES, FleetState


class FleetCollector:
    """What waits, what works and what is held, by the leader's word and the rows'."""

    def collect(self) -> Iterable[Metric]:
        """Return the figures; what only the leader knows is left out while it is not heard."""
        state = fleet_state()
        yield GaugeMetricFamily(
            "pyagent_fleet_leader_up", "Whether the fleet's leader is heard", value=state is not None
        )
        waiting = GaugeMetricFamily(
            "pyagent_fleet_waiting", "Queued runs by the priority they were given", labels=["priority"]
        )
        queued = Run.objects.filter(status=Run.Status.QUEUED).order_by()
        counts = dict(queued.values_list("priority").annotate(Count("pk")))
        for priority in PRIORITIES:
            waiting.add_metric([priority], counts.get(priority, 0))
        yield waiting
        suspended = GaugeMetricFamily(
            "pyagent_fleet_suspended", "Suspended runs by what they wait for", labels=["reason"]
        )
        held = Run.objects.filter(status=Run.Status.SUSPENDED).order_by()
        reasons = dict(held.values_list("suspend_reason").annotate(Count("pk")))
        for reason in Run.SuspendReason.values:
            suspended.add_metric([reason], reasons.get(reason, 0))
        yield suspended
        yield GaugeMetricFamily(
            "pyagent_fleet_given_up",
            "Runs given up that nobody has dealt with",
            value=given_up().count(),
        )
        if state is not None:
            yield from _of_leader(state)


def _of_leader(state: FleetState) -> Iterable[Metric]:
    slots = GaugeMetricFamily("pyagent_fleet_slots", "Slots of a node", labels=["node"])
    busy = GaugeMetricFamily("pyagent_fleet_slots_busy", "Slots of a node that are taken", labels=["node"])
    free_mb = GaugeMetricFamily(
        "pyagent_fleet_device_free_bytes", "Free memory of a GPU", labels=["node", "index"]
    )
    for node in state.nodes:
        slots.add_metric([node.name], node.slots)
        busy.add_metric([node.name], node.busy)
        for device in node.devices:
            free_mb.add_metric([node.name, str(device.index)], device.free_mb * 1024 * 1024)
    yield from (slots, busy, free_mb)
    effective = GaugeMetricFamily(
        "pyagent_fleet_waiting_effective",
        "Runs that wait for a slot, by priority with their age",
        labels=["priority"],
    )
    counts = Counter(run.effective_priority for run in state.waiting)
    for priority in PRIORITIES:
        effective.add_metric([priority], counts[priority])
    yield effective
