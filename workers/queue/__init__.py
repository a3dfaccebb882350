"""How work reaches the engine: the jobs, the doorbells, and what the fleet says about itself."""

from workers.queue.evidence import (
    EVIDENCE_CLAIM_S,
    cancel_evidence,
    evidence_cancel_key,
    evidence_claim_key,
    is_evidence_claimed,
    submit_evidence,
)
from workers.queue.fleet import DeviceState, FleetState, NodeState, RunningRun, WaitingRun, read_fleet
from workers.queue.job import Budget, EvidenceJob, Job
from workers.queue.request import EVIDENCE_TASK, RUN_TASK
from workers.queue.runs import (
    PRIORITIES,
    cancel_run,
    has_notes,
    reprioritise_run,
    set_shares,
    steer_run,
    submit_run,
    suspend_run,
    withdraw_run,
)

__all__ = [
    "EVIDENCE_CLAIM_S",
    "EVIDENCE_TASK",
    "PRIORITIES",
    "RUN_TASK",
    "Budget",
    "DeviceState",
    "EvidenceJob",
    "FleetState",
    "Job",
    "NodeState",
    "RunningRun",
    "WaitingRun",
    "cancel_evidence",
    "cancel_run",
    "evidence_cancel_key",
    "evidence_claim_key",
    "has_notes",
    "is_evidence_claimed",
    "read_fleet",
    "reprioritise_run",
    "set_shares",
    "steer_run",
    "submit_evidence",
    "submit_run",
    "suspend_run",
    "withdraw_run",
]
