"""How work reaches the engine: the job, and the doorbell that hands it to Celery by name.

The row in the database is the truth about a run; the broker only rings. So submitting twice does no harm: a
worker takes a run only with the fencing number it was handed, and a row's lease tells who holds it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
import redis

from workers.celery import app
from workers.config import get_config
from workers.events import cancel_key, claim_key, steer_key, suspend_key

RUN_TASK = "workers.tasks.agents.run_agent"
EVIDENCE_TASK = "workers.tasks.evidence.run_evidence"
# Celery on Redis serves 0 first; these four are its steps.
PRIORITIES = {"critical": 0, "high": 3, "standard": 6, "low": 9}
CANCEL_TTL_S = 3600
EVIDENCE_CLAIM_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Where a run must stop. None means without limit; an unknown price never counts as 0."""

    steps: int = 40
    tokens: int | None = 400_000
    seconds: int = 900
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the engine is handed. Plain data; a secret is only named (`credential_ref`), never carried."""

    run_id: str
    fence: int
    workspace_id: int
    agent: str
    goal: str
    base_commit: str
    model: dict[str, Any]
    """A ModelChoice as a dict: provider, model, base_url, context_tokens, price."""
    credential_ref: str | None = None
    priority: str = "standard"
    budget: dict[str, Any] = field(default_factory=lambda: asdict(Budget()))
    conversation: list[dict[str, str]] = field(default_factory=list)
    """The last messages of the topic before the goal: author, text."""
    revision_of: dict[str, Any] | None = None
    """For an answer to review comments: change_set_id, revision, commit, comments [{id, kind, path, line,
    code, text}], rejected hunks. The answer starts from `commit`; its `base_commit` stays the revision's."""
    review_of: dict[str, Any] | None = None
    """For an agent that reads a change set: change_set_id, revision, base_commit, commit, title, summary."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """Finished steps of earlier attempts at this run, oldest first, to resume from: step_id, parent_id, kind,
    title, status, detail, duration_ms, input_tokens, output_tokens, cost_usd."""
    rules: list[dict[str, Any]] = field(default_factory=list)
    """The workspace's own patterns (workers.codehealth.patterns.Rule as dicts); those of kind secret are hidden from models."""
    lineage: dict[str, Any] = field(default_factory=dict)
    """The run's CascadeContext as a dict; empty for a run that a person asked for."""
    needs: dict[str, Any] = field(default_factory=dict)
    """What the run needs of a machine: gpu (bool), gpu_memory_mb (int). Decides the Celery queue."""
    fallbacks: list[dict[str, Any]] = field(default_factory=list)
    """Models to go on with when `model` fails for good, in order: model (a ModelChoice as a dict), credential_ref."""
    definition: dict[str, Any] | None = None
    """An agent that people defined: name, version, instructions, tools."""
    policy: dict[str, Any] = field(default_factory=dict)
    """The workspace's policy pack; empty means the one that comes with PyAgent."""
    lessons: list[dict[str, Any]] = field(default_factory=list)
    """What was learned from earlier mistakes and fits this goal: id, pattern, cause, solution."""
    steering: list[dict[str, Any]] = field(default_factory=list)
    """What people told this run and no step has taken up yet: id, kind, step_id, text, by."""
    attachments: list[dict[str, Any]] = field(default_factory=list)
    """Files that came with the goal: path in the workspace, media_type."""
    next_seq: int = 1
    """The first run_seq this attempt may use."""


def submit_run(job: Job) -> None:
    """Ring for `job`.

    Raises:
        kombu.exceptions.OperationalError: the broker is away; the row stays queued and is rung for again.
    """
    app.send_task(
        RUN_TASK,
        args=[asdict(job)],
        task_id=f"{job.run_id}:{job.fence}",
        queue="cpu",
        priority=PRIORITIES[job.priority],
    )


def cancel_run(run_id: str, *, client: redis.Redis | None = None) -> None:
    """Ask the worker that holds `run_id` to stop at its next token or step."""
    client = client or redis.Redis.from_url(get_config().redis_url)
    client.set(cancel_key(run_id), "1", ex=CANCEL_TTL_S)


def suspend_run(run_id: str, *, fence: int, client: redis.Redis | None = None) -> None:
    """Ask the worker that holds `run_id` under `fence` to suspend it at its next token or step; a later attempt is not meant."""
    client = client or redis.Redis.from_url(get_config().redis_url)
    client.set(suspend_key(run_id), str(fence), ex=CANCEL_TTL_S)


def steer_run(run_id: str, note: dict[str, Any], *, client: redis.Redis | None = None) -> None:
    """Hand a person's note to the worker that holds `run_id`; the row keeps it for a worker that comes later."""
    client = client or redis.Redis.from_url(get_config().redis_url)
    fields: dict[Any, Any] = {"note": orjson.dumps(note)}
    with client.pipeline(transaction=True) as pipe:
        pipe.xadd(steer_key(run_id), fields, maxlen=100)
        pipe.expire(steer_key(run_id), CANCEL_TTL_S)
        pipe.execute()


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
