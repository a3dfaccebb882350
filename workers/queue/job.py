"""What the engine is handed: plain data, no secret in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


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
    open_steps: list[str] = field(default_factory=list)
    """Goals that were handed on by earlier attempts and whose runs are still at work, by step."""
    cut_off: dict[str, Any] = field(default_factory=dict)
    """What steps have used that earlier attempts were cut off in, and that is in no finished step: input_tokens, output_tokens,
    cost_usd (None where a price is unknown), duration_ms; empty means nothing."""
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
    """What people told this run and no step has taken up yet: id, kind, step_id, text, by, title (of the step)."""
    agents: list[dict[str, str]] = field(default_factory=list)
    """Whom an agent that delegates can call: name, description."""
    attachments: list[dict[str, Any]] = field(default_factory=list)
    """Files that came with the goal: path in the workspace, media_type."""
    spend: dict[str, Any] = field(default_factory=dict)
    """Who pays: is_limited (whether the workspace has limits on what it spends), person_id (who called)."""
    next_seq: int = 1
    """The first run_seq this attempt may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceJob:
    """A command to run on exactly one tree of a workspace's repository, for a review."""

    evidence_id: int
    workspace_id: int
    tree: str
    command: str
    wall_s: float = 600.0
