"""What people do with a run that is not over, or that was given up: put it back to work, change its priority, dismiss it."""

from __future__ import annotations

import redis
from django.db import transaction

from webapp.accounts.models import User
from webapp.agents.models import Dismissal, Run
from webapp.agents.services.ending import announce
from webapp.agents.services.suspending import resume_run
from webapp.errors import Conflict, Invalid
from workers import queue
from workers.queue import PRIORITIES
from workers.telemetry.logging import get_logger

log = get_logger(__name__)


@transaction.atomic
def resume_by_person(*, run: Run) -> Run:
    """Return the run that was suspended, queued again because a person wants it.

    Raises:
        Conflict: it is not suspended, or it waits for something that has not happened yet.
    """
    run = Run.objects.select_for_update().get(pk=run.pk)
    if run.waits_for_others:
        raise Conflict(f"{run.get_suspend_reason_display()}; then it goes on by itself.", status=run.status)
    return resume_run(run=run)


@transaction.atomic
def reprioritise_run(*, run: Run, priority: str) -> Run:
    """Return the run with its new priority; runs that it called, and that are not over, get the same, since it waits for them.

    Raises:
        Invalid: there is no such priority.
        Conflict: the run has ended.
    """
    if priority not in PRIORITIES:
        raise Invalid(f"The priority is one of {', '.join(PRIORITIES)}.", field="priority")
    run = Run.objects.select_for_update().get(pk=run.pk)
    if run.is_final:
        raise Conflict(f"This run has ended already: {run.get_status_display().lower()}.", status=run.status)
    _write_priority(run, priority)
    level = [run.pk]
    while level:
        children = Run.objects.select_for_update().filter(parent__in=level).exclude(status__in=Run.FINAL)
        level = []
        for child in children:
            _write_priority(child, priority)
            level.append(child.pk)
    log.info("run reprioritised", run_id=str(run.pk), priority=priority)
    return run


def _write_priority(run: Run, priority: str) -> None:
    run.priority = priority
    # The stored job is what every later attempt is built from.
    run.job = {**run.job, "priority": priority}
    run.save(update_fields=["priority", "job"])
    announce(run)
    transaction.on_commit(lambda: _tell_fleet(run), robust=True)


def _tell_fleet(run: Run) -> None:
    try:
        queue.reprioritise_run(str(run.pk), run.priority)
    except (redis.RedisError, OSError) as error:
        log.warning("fleet not told; the next ring carries it", run_id=str(run.pk), error=str(error))


@transaction.atomic
def dismiss_run(*, run: Run, dismissed_by: User) -> None:
    """Take a run that was given up off the list that people are told of; its row and its steps stay.

    Raises:
        Conflict: it was not given up.
    """
    run = Run.objects.select_for_update().get(pk=run.pk)
    if run.status != Run.Status.DEAD:
        raise Conflict("Only a run that was given up can be dismissed.", status=run.status)
    Dismissal.objects.get_or_create(run=run, defaults={"by": dismissed_by})
    announce(run)
