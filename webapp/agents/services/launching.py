"""From a queued row to a doorbell: fix the base commit, write the job, ring.

Git works outside any transaction, after the row is committed: a snapshot of a large repository would hold the database's
write lock for everybody. A process that dies in between leaves a queued row that nobody rang for, and `leases.reap` finds it.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import redis
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from webapp.agents import definitions, routes, selectors, spending
from webapp.agents.models import Run
from webapp.agents.policies.selectors import policy_of
from webapp.agents.services import counting
from webapp.agents.services.ending import end_run
from webapp.agents.services.teaching import lessons_for
from webapp.codehealth.rules import stored_rules
from webapp.workspaces.repositories import author_of, repository_of
from workers import queue
from workers.errors import PyAgentError
from workers.queue import Job
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
BROKER_AWAY = (OperationalError, redis.RedisError, OSError)


def launch(run_id: UUID) -> None:
    """Give the queued run its base commit and job, and ring. A run whose repository refuses fails visibly."""
    run = Run.objects.select_related("workspace", "requested_by").get(pk=run_id)
    if run.status != Run.Status.QUEUED:
        return
    if run.job.get("base_commit", "") == "":
        try:
            base = run.base_commit or repository_of(run.workspace).snapshot(
                author=author_of(run.requested_by)
            )
        except PyAgentError as error:
            log.warning("run not launched", run_id=str(run_id), code=error.code, error=str(error))
            _fail(run_id, code=error.code, message=str(error), is_retryable=error.retryable)
            return
        except OSError as error:
            log.error("run not launched", run_id=str(run_id), error=str(error))
            _fail(
                run_id,
                code="storage_failed",
                message=f"The workspace's files cannot be read: {error.strerror}.",
                is_retryable=True,
            )
            return
        _write_base(run_id, base)
    ring(run_id)


@transaction.atomic
def _write_base(run_id: UUID, base: str) -> None:
    run = Run.objects.select_for_update().get(pk=run_id)
    if (
        run.job.get("base_commit", "") == ""
    ):  # the first of two launches wins; the other rings for the same job
        run.base_commit = base
        run.job = {**run.job, "base_commit": base}
        run.save(update_fields=["base_commit", "job"])


@transaction.atomic
def _fail(run_id: UUID, *, code: str, message: str, is_retryable: bool) -> None:
    run = Run.objects.select_for_update().get(pk=run_id)
    if not run.is_final:
        end_run(run, Run.Status.FAILED, code=code, message=message, is_retryable=is_retryable)


def is_done() -> Q:
    """Return which steps are over for good: what a person stopped too, while what only broke off is done again."""
    return Q(status__in=("ok", "failed")) | Q(status="cancelled", detail__has_key="stopped_by")


def finished_steps(run: Run) -> list[dict[str, Any]]:
    """Return what an earlier attempt finished, oldest first, for the next one to resume from."""
    rows = run.steps.filter(is_done()).order_by("seq")
    return [
        {
            "step_id": step.step_id,
            "parent_id": step.parent_id or None,
            "kind": step.kind,
            "title": step.title,
            "status": step.status,
            "detail": step.detail,
            "tokens": step.input_tokens + step.output_tokens,
            "input_tokens": step.input_tokens,
            "output_tokens": step.output_tokens,
            "cost_usd": step.cost_usd,
            "duration_ms": step.duration_ms,
        }
        for step in rows
    ]


def open_delegations(run: Run) -> list[str]:
    """Return the steps by which goals were handed on that are still at work."""
    rows = run.steps.filter(kind="delegation", status="running")
    return list(rows.order_by("seq").values_list("step_id", flat=True))


def build_job(run: Run) -> Job:
    """Return the job as this attempt is handed it: with the current fence, and the history of earlier attempts, or of the run
    that it goes on from."""
    return Job(
        **{
            **run.job,
            "fence": run.fence,
            "history": finished_steps(run),
            "open_steps": open_delegations(run),
            "cut_off": counting.cut_off_of(run),
            "steering": selectors.waiting_notes(run),
            "model": routes.first_model_of(run),
            "fallbacks": routes.fallbacks_of(run),
            "spend": spending.payer(run),
            "lessons": lessons_for(run),
            "agents": definitions.agents_for(run),
            "policy": policy_of(run),
            "next_seq": run.last_seq + 1,
        }
    )


def ring(run_id: UUID, *, now: datetime | None = None) -> bool:
    """Ring for the queued run; return whether the broker heard. When it is away the row stays queued and is rung for again."""
    run = Run.objects.get(pk=run_id)
    if run.status != Run.Status.QUEUED or not run.job.get("base_commit"):
        return False
    try:
        queue.submit_run(build_job(run))
    except BROKER_AWAY as error:
        log.warning("broker away; the run stays queued", run_id=str(run_id), error=str(error))
        return False
    Run.objects.filter(pk=run_id).update(rung_at=now or timezone.now())
    return True


def new_job(
    run: Run,
    *,
    conversation: list[dict[str, str]],
    revision_of: dict[str, Any] | None,
    credential: str | None,
    definition: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the job as first stored: without base commit and history."""
    return asdict(
        Job(
            run_id=str(run.pk),
            fence=run.fence,
            workspace_id=run.workspace_id,
            agent=run.agent,
            goal=run.goal,
            base_commit="",
            model=run.model_choice,
            credential_ref=credential,
            priority=run.priority,
            budget=run.budget,
            definition=definition,
            conversation=conversation,
            revision_of=revision_of,
            rules=stored_rules(run.workspace),
            lineage=run.lineage,
        )
    )
