"""Writes about the fleet: how it is shared, and what its owner does with a run of somebody else."""

from __future__ import annotations

from typing import Final

import redis
from django.db import transaction

from webapp.accounts.models import User
from webapp.agents import access as agents_access
from webapp.agents import services as agents_services
from webapp.agents.models import Run
from webapp.errors import Conflict, Invalid
from webapp.fleet.models import Share
from webapp.workspaces.models import Workspace
from workers import queue
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
LEAST_WEIGHT: Final = 0.1
MOST_WEIGHT: Final = 100.0


@transaction.atomic
def set_share(*, workspace: Workspace, weight: float, set_by: User) -> Share:
    """Return the workspace's share of the fleet; its leader is told once the transaction commits.

    Raises:
        Invalid: the weight is out of bounds.
    """
    if not LEAST_WEIGHT <= weight <= MOST_WEIGHT:  # also refuses what is no number
        raise Invalid(f"A share is a weight from {LEAST_WEIGHT} to {MOST_WEIGHT:.0f}.", field="weight")
    share, _ = Share.objects.update_or_create(
        workspace=workspace, defaults={"weight": weight, "set_by": set_by}
    )
    transaction.on_commit(tell_shares, robust=True)
    log.info("share set", workspace_id=workspace.pk, weight=weight, by=set_by.pk)
    return share


def tell_shares() -> None:
    """Tell the fleet how it is shared: after each change, and now and then, since Redis may have forgotten it."""
    try:
        queue.set_shares(dict(Share.objects.values_list("workspace_id", "weight")))
    except (redis.RedisError, OSError) as error:
        log.warning("the fleet was not told how it is shared; it is told again", error=str(error))


def retry_for_caller(*, run: Run) -> Run:
    """Return a new run like the one that was given up, called again in its caller's name: nobody gets more than they had.

    Raises:
        Conflict: who called it may call agents there no more, or the run can not be tried again.
    """
    caller = run.requested_by
    if caller is None or not agents_access.may_retry(caller, run):
        raise Conflict("Who called this agent may call none there any more; a member of the workspace can.")
    return agents_services.retry_run(run=run, requested_by=caller)
