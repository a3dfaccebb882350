"""Commands that gather evidence for a review: the doorbell, and how worker and web app hear of each other."""

from __future__ import annotations

from dataclasses import asdict

import redis

from workers.events import cancel_key, claim_key
from workers.queue.job import EvidenceJob
from workers.queue.request import evidence_name, request_of_evidence
from workers.queue.waiting import CANCEL_TTL_S, connect, submit

EVIDENCE_CLAIM_S = 30


def submit_evidence(job: EvidenceJob, *, client: redis.Redis | None = None) -> None:
    """Ring for `job`; raises as `submit_run`."""
    submit(request_of_evidence(job), asdict(job), client=client)


def evidence_claim_key(evidence_id: int) -> str:
    """Return the key that a worker keeps while it runs that command; it fades within `EVIDENCE_CLAIM_S` of its last sign."""
    return claim_key(evidence_name(evidence_id))


def evidence_cancel_key(evidence_id: int) -> str:
    """Return the key whose presence asks the worker to end that command."""
    return cancel_key(evidence_name(evidence_id))


def is_evidence_claimed(evidence_id: int, *, client: redis.Redis | None = None) -> bool:
    """Return whether a worker runs that command, or has just ended it."""
    client = client or connect()
    return bool(client.exists(evidence_claim_key(evidence_id)))


def cancel_evidence(evidence_id: int, *, client: redis.Redis | None = None) -> None:
    """Ask the worker that runs this command to end it."""
    client = client or connect()
    client.set(evidence_cancel_key(evidence_id), "1", ex=CANCEL_TTL_S)
