"""What the fleet needs to know of a job to give it a slot; the job itself stays in Redis until a worker takes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from workers.queue.job import EvidenceJob, Job

LEVELS: Final = ("critical", "high", "standard", "low")
"""Priorities by level: 0 is served first."""
RUN_TASK: Final = "workers.tasks.agents.run_agent"
EVIDENCE_TASK: Final = "workers.tasks.evidence.run_evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A job that wants a slot. Flat plain values: as JSON, Redis' own scripts read and change them."""

    run_id: str
    fence: int
    workspace_id: int
    agent: str
    level: int
    task: str
    """The Celery task that does it."""
    is_preemptible: bool = True
    needs_gpu: bool = False
    gpu_memory_mb: int = 0
    """0 with `needs_gpu` means a whole device."""
    model_key: str = ""
    """Which provider's key and model it talks to; jobs with the same one share its limits."""
    concurrency: int = 0
    """How many jobs may talk to that model at once; 0 means any number."""
    tokens_per_minute: int = 0
    """What that model gives out in all; 0 means without limit."""
    model: str = ""
    """The model as people know it."""
    since: float = 0.0
    """When it began to wait for the first time."""
    queued_at: float = 0.0
    """When it began to wait this time."""
    waited_s: float = 0.0
    """What it had waited before that, in earlier attempts."""
    preemptions: int = 0
    not_before: float = 0.0
    retakes: bool = False
    """Its worker was lost: before others of its level it takes back the slot that it had."""
    gpu_host: str = ""
    gpu_index: int = -1
    """The device it was given, once admitted."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the request from its JSON; fields that this version does not know are left out."""
        return cls(**{name: value for name, value in data.items() if name in cls.__dataclass_fields__})

    @property
    def likeness(self) -> tuple[int, bool, int, str]:
        """What decides whether room can be made for it: level, GPU, memory, model."""
        return self.level, self.needs_gpu, self.gpu_memory_mb, self.model_key

    def waited(self, now: float) -> float:
        """Return how long it has waited in all, in seconds."""
        return self.waited_s + max(0.0, now - self.queued_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLimit:
    """What a provider's key allows for one model; 0 means without limit."""

    key: str
    concurrency: int = 0
    tokens_per_minute: int = 0


def limit_of(job: Job) -> ModelLimit:
    """Return the limit that binds this job; its key is empty for a job without a model.

    The limits stand in the job's `model` (a ModelChoice as a dict) as `max_concurrency` and `tokens_per_minute`; absent or None
    means without limit. Jobs with the same address, model and key share them.
    """
    model = job.model
    if not model.get("provider"):
        return ModelLimit(key="")
    words = (model["provider"], model.get("base_url"), model.get("model"), job.credential_ref)
    return ModelLimit(
        # A digest: whoever may see the fleet need not see addresses of other workspaces.
        key=hashlib.blake2s(repr(words).encode(), digest_size=8).hexdigest(),
        concurrency=max(0, int(model.get("max_concurrency") or 0)),
        tokens_per_minute=max(0, int(model.get("tokens_per_minute") or 0)),
    )


def request_of(job: Job) -> Request:
    """Return what the fleet needs to know of a run's job.

    Raises:
        ValueError: there is no such priority.
    """
    limit, needs = limit_of(job), job.needs
    return Request(
        run_id=job.run_id,
        fence=job.fence,
        workspace_id=job.workspace_id,
        agent=job.agent,
        level=LEVELS.index(job.priority),
        task=RUN_TASK,
        needs_gpu=bool(needs.get("gpu")),
        gpu_memory_mb=int(needs.get("gpu_memory_mb") or 0),
        model_key=limit.key,
        concurrency=limit.concurrency,
        tokens_per_minute=limit.tokens_per_minute,
        model="/".join(str(job.model[name]) for name in ("provider", "model") if job.model.get(name)),
        gpu_host=str(needs.get("gpu_host") or ""),
        gpu_index=int(needs.get("gpu_index", -1)),
    )


def request_of_evidence(job: EvidenceJob) -> Request:
    """Return what the fleet needs to know of a command; people wait for it, and half of it is worth nothing."""
    return Request(
        run_id=evidence_name(job.evidence_id),
        fence=1,
        workspace_id=job.workspace_id,
        agent="",
        level=LEVELS.index("high"),
        task=EVIDENCE_TASK,
        is_preemptible=False,
    )


def evidence_name(evidence_id: int) -> str:
    """Return the name of a command's job beside the runs."""
    return f"evidence-{evidence_id}"


def evidence_id_of(name: str) -> int:
    """Return which command's job has this name.

    Raises:
        ValueError: it is no command's.
    """
    return int(name.removeprefix("evidence-"))
