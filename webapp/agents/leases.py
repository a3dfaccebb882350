"""Finds runs that lost their worker or their doorbell, from the rows alone: the broker may forget everything.

A worker's lease is prolonged by every event of it. When the relay itself, or Redis, was away, no event could come and every
lease looks expired; so nothing is judged before the relay has listened for one whole lease.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Final
from uuid import UUID

import redis
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from webapp.agents import selectors
from webapp.agents.models import Run
from webapp.agents.services.launching import launch
from webapp.agents.services.losing import take_from_worker
from webapp.agents.services.recording import LEASE
from webapp.agents.services.runs import tell_worker_to_stop
from webapp.agents.services.suspending import tell_worker_to_suspend

RING_AGAIN: Final = timedelta(seconds=5)
# While all workers are busy a ring every 5 s would only fill the queue; lost doorbells still ring within 30 s.
RING_AGAIN_AT_MOST: Final = timedelta(seconds=20)
BATCH: Final = 200


@cache
def _client() -> redis.Redis:
    # Not the pages' client: nobody waits here, and each silence makes all lost runs wait for one whole lease.
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)


def _redis_answers() -> bool:
    try:
        return bool(_client().ping())
    except (redis.RedisError, OSError):
        return False


class Listener:
    """Knows for how long this process could have heard a worker. `clock` is monotonic; `answers` says whether Redis is there."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, answers: Callable[[], bool] = _redis_answers
    ) -> None:
        self._clock, self._answers = clock, answers
        self._since: float | None = None

    def heard_for_s(self) -> float | None:
        """Return the seconds since Redis was first heard without a break since; None while it is away."""
        if not self._answers():
            self._since = None
            return None
        if self._since is None:
            self._since = self._clock()
        return self._clock() - self._since


class Keeper:
    """Watches leases in one process."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener or Listener()

    def reap(self, *, now: datetime | None = None) -> None:
        """Take lost runs from their workers and ring again for those that nobody took."""
        heard_for_s = self._listener.heard_for_s()
        if heard_for_s is None:
            return
        now = now or timezone.now()
        if heard_for_s >= LEASE.total_seconds():
            reap_lost(now=now)
        ring_forgotten(now=now)


keeper = Keeper()


def reap_lost(*, now: datetime) -> list[UUID]:
    """Return the runs whose lease has expired at `now`, each queued again with a higher fence, stopped, or given up."""
    lost = Run.objects.filter(status__in=selectors.HELD, lease_expires_at__lt=now)
    ids = list(lost.values_list("pk", flat=True)[:BATCH])
    for run_id in ids:
        take_from_worker(run_id, now=now)
    for run in Run.objects.filter(status=Run.Status.CANCELLING, lease_expires_at__gte=now)[:BATCH]:
        tell_worker_to_stop(run)
    for run in Run.objects.filter(status=Run.Status.SUSPENDING, lease_expires_at__gte=now)[:BATCH]:
        tell_worker_to_suspend(run, run.fence)
    return ids


def ring_forgotten(*, now: datetime) -> list[UUID]:
    """Return the queued runs that nobody took in time; each is rung for again with the same fence, which does no harm."""
    due = Run.objects.filter(status=Run.Status.QUEUED).filter(
        Q(rung_at=None, created_at__lt=now - RING_AGAIN) | Q(rung_at__lt=now - RING_AGAIN)
    )
    rung: list[UUID] = []
    for run in due.order_by("created_at").only("pk", "rung_at", "created_at")[:BATCH]:
        waited = run.rung_at - run.created_at if run.rung_at else RING_AGAIN
        patience = min(max(waited, RING_AGAIN), RING_AGAIN_AT_MOST)
        if run.rung_at is None or now - run.rung_at >= patience:
            launch(run.pk)
            rung.append(run.pk)
    return rung
