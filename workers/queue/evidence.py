"""Commands that gather evidence for a review: the job, the doorbell, and how worker and web app hear of each other."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import redis

from workers.celery import app
from workers.config import get_config
from workers.events import cancel_key, claim_key
from workers.queue.runs import CANCEL_TTL_S, PRIORITIES

EVIDENCE_TASK = "workers.tasks.evidence.run_evidence"
EVIDENCE_CLAIM_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceJob:
    """A command to run on exactly one tree of a workspace's repository, for a review."""

    evidence_id: int
    workspace_id: int
    tree: str
    command: str
    wall_s: float = 600.0


def _evidence_name(evidence_id: int) -> str:
    return f"evidence-{evidence_id}"


def submit_evidence(job: EvidenceJob) -> None:
    """Ring for `job`; raises as `submit_run`."""
    app.send_task(
        EVIDENCE_TASK,
        args=[asdict(job)],
        task_id=_evidence_name(job.evidence_id),
        queue="cpu",
        priority=PRIORITIES["high"],
    )


def evidence_claim_key(evidence_id: int) -> str:
    """Return the key that a worker keeps while it runs that command; it fades within `EVIDENCE_CLAIM_S` of its last sign."""
    return claim_key(_evidence_name(evidence_id))


def evidence_cancel_key(evidence_id: int) -> str:
    """Return the key whose presence asks the worker to end that command."""
    return cancel_key(_evidence_name(evidence_id))


def is_evidence_claimed(evidence_id: int, *, client: redis.Redis | None = None) -> bool:
    """Return whether a worker runs that command, or has just ended it."""
    client = client or redis.Redis.from_url(get_config().redis_url)
    return bool(client.exists(evidence_claim_key(evidence_id)))


def cancel_evidence(evidence_id: int, *, client: redis.Redis | None = None) -> None:
    """Ask the worker that runs this command to end it."""
    client = client or redis.Redis.from_url(get_config().redis_url)
    client.set(evidence_cancel_key(evidence_id), "1", ex=CANCEL_TTL_S)
