"""Health for supervisors and load balancers, metrics for the installation's owner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

import webapp.realtime.metrics  # noqa: F401  what it counts stands in the registry from the start
from webapp.accounts.access import require_owner
from webapp.accounts.services import authenticate_key
from webapp.agents.models import Run
from webapp.api import KeyAuth
from webapp.errors import NotFound
from webapp.fleet.metrics import FleetCollector
from webapp.realtime import health


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer as long as the process lives; asks nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the installation can serve, else 503 with what is wrong."""
    problems = health.problems()
    parts = {name: problems.get(name, "ok") for name in health.CHECKS}
    response = JsonResponse({"is_ready": not problems, "parts": parts}, status=503 if problems else 200)
    if problems:
        response["Retry-After"] = "5"
    return response


class _Installation:
    """Figures of the whole installation, read when asked for."""

    def collect(self) -> Iterable[Metric]:
        """Return runs by status and how far the relay is behind."""
        runs = GaugeMetricFamily("pyagent_runs", "Runs by status", labels=["status"])
        counts = dict(Run.objects.order_by().values_list("status").annotate(Count("pk")))
        for status in Run.Status.values:
            runs.add_metric([status], counts.get(status, 0))
        yield runs
        backlog = health.relay_backlog()
        if backlog is not None:
            yield GaugeMetricFamily(
                "pyagent_relay_backlog", "Engine events that wait for the relay", value=backlog
            )
        parts = GaugeMetricFamily("pyagent_part_up", "Whether a part answers", labels=["part"])
        problems = health.problems()
        for name in health.CHECKS:
            parts.add_metric([name], name not in problems)
        yield parts


_installation = CollectorRegistry(auto_describe=False)
_installation.register(_Installation())
_installation.register(FleetCollector())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus' text format, to the owner's session or to a key of the owner's with the scope `admin`."""
    user: Any = request.user
    key = KeyAuth()._get_key(request)
    if key is not None:
        user = authenticate_key(key)
        if user is None or "admin" not in user.key_scopes:
            raise NotFound()
    require_owner(user)
    return HttpResponse(
        generate_latest(REGISTRY) + generate_latest(_installation), content_type=CONTENT_TYPE_LATEST
    )
