"""Engine events: what a run tells the world, typed and versioned.

They travel on one Redis stream, at least once. `run_id`, `fence` and `run_seq` identify an event, so that
whoever records it can drop what it has seen and refuse what an overtaken worker still sends. Values are plain
and JSON-safe.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

STREAM_KEY = "pyagent:engine:events"
RELAY_GROUP = "relay"
DEAD_KEY = "pyagent:engine:dead"
"""The Redis stream of events that could not be recorded, for people to look at."""
VERSION = 1

StepKind = Literal[
    "thought",
    "plan",
    "model_call",
    "tool_call",
    "command",
    "test_run",
    "audit",
    "delegation",
    "proposal",
    "person",
]
StepStatus = Literal["running", "ok", "failed", "cancelled"]
SteeringKind = Literal["message", "answer", "redirect", "stop_step", "approve", "deny"]
SuspendReason = Literal["preempted", "person", "children", "approval", "limit"]


def acks_key(run_id: str) -> str:
    """Return the Redis stream on which the relay says up to which `run_seq` a run's events are committed."""
    return f"pyagent:run:{run_id}:acks"


def claim_key(run_id: str) -> str:
    """Return the key under which the worker that holds a run says who it is; it expires after its heartbeats
    end."""
    return f"pyagent:run:{run_id}:claim"


def tokens_key(run_id: str) -> str:
    """Return the capped Redis stream of a run's token deltas."""
    return f"pyagent:run:{run_id}:tokens"


def cancel_key(run_id: str) -> str:
    """Return the key whose presence asks the worker to stop the run."""
    return f"pyagent:run:{run_id}:cancel"


def suspend_key(run_id: str) -> str:
    """Return the key whose value, a fencing number, asks the worker that holds the run under it to suspend the run."""
    return f"pyagent:run:{run_id}:suspend"


def steer_key(run_id: str) -> str:
    """Return the Redis stream on which people's words to a running agent are rung; the rows hold them."""
    return f"pyagent:run:{run_id}:steer"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEvent:
    """What every event carries."""

    type: ClassVar[str] = ""
    is_of_run: ClassVar[bool] = True
    """Whether a run's worker tells it, numbered; else it stands alone, with an empty `run_id`, and says the same
    when it is told twice."""
    run_id: str
    fence: int
    run_seq: int
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(EngineEvent):
    type: ClassVar[str] = "RunStarted"
    worker: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(EngineEvent):
    """The worker still holds the run. Its `run_seq` is 0: it is news, not history."""

    type: ClassVar[str] = "Heartbeat"
    tokens_per_s: float | None = None
    """None where nobody measured: what was told before stays."""
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What model calls that have begun to answer have used so far, by step: input_tokens, output_tokens, cost_usd (estimates).
    Of a worker that is lost this is all that anybody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(EngineEvent):
    type: ClassVar[str] = "StepStarted"
    step_id: str
    parent_id: str | None
    kind: StepKind
    title: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(EngineEvent):
    """The end of a step. `cost_usd` is None when the price is unknown, never 0 for unknown."""

    type: ClassVar[str] = "StepFinished"
    step_id: str
    status: StepStatus
    duration_ms: int
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeProposed(EngineEvent):
    """The run offers a change set: `commit` stands on a hidden ref of the workspace's repository."""

    type: ClassVar[str] = "ChangeProposed"
    base_commit: str
    commit: str
    title: str
    summary: str
    evidence: list[dict[str, Any]] = field(default_factory=list)
    """Commands really run on this revision: command, exit_code, duration_ms, output, tree."""
    answers: list[dict[str, Any]] = field(default_factory=list)
    """Replies to review comments: comment_id, text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCommented(EngineEvent):
    """The run has read one revision of a change set and says what it found; it decides nothing."""

    type: ClassVar[str] = "ReviewCommented"
    change_set_id: int
    revision: int
    comments: list[dict[str, Any]] = field(default_factory=list)
    """Remarks on lines of its diff: path, side (old, new), line, kind (must-fix, question, note), text, quote."""
    summary: str = ""
    """What is said of the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(EngineEvent):
    type: ClassVar[str] = "RunFinished"
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed(EngineEvent):
    type: ClassVar[str] = "RunFailed"
    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopped(EngineEvent):
    """A person cancelled the run and the worker has stopped it."""

    type: ClassVar[str] = "RunStopped"
    note: str = ""
    """What became of the files that it had changed; empty when there were none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSuspended(EngineEvent):
    """The worker has let go of the run after its last finished step, and its slot is free.

    It goes on from there, on any worker, with a higher fence: when somebody resumes it, or when what it waits for is there.
    """

    type: ClassVar[str] = "RunSuspended"
    reason: str
    """One of `SuspendReason`."""
    waits_for: list[str] = field(default_factory=list)
    """Steps whose ends it waits for: delegations, and tool calls that people have to approve."""
    waits_any: bool = False
    """Whether it goes on when one of them has ended, not all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDelegated(EngineEvent):
    """The run hands a goal to another agent; the step stays open until that agent's run has ended."""

    type: ClassVar[str] = "RunDelegated"
    step_id: str
    agent: str
    goal: str
    lineage: dict[str, Any]
    """The CascadeContext of the child, as a dict."""
    budget: dict[str, Any] = field(default_factory=dict)
    base_commit: str = ""
    """What the child begins with; the workspace's files as they are now when empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringTaken(EngineEvent):
    """The agent has taken up what people told it: a later attempt is not handed these notes again."""

    type: ClassVar[str] = "SteeringTaken"
    note_ids: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked(EngineEvent):
    """A tool call that is marked dangerous waits for a person's yes or no; its step stays open."""

    type: ClassVar[str] = "ApprovalAsked"
    step_id: str
    tool: str
    arguments: dict[str, Any]
    reason: str
    """Why the policy asks, in words."""
    rule: str = ""
    approver: str = "caller"
    """Who may answer: `caller` (who called the agent, and maintainers) or `maintainer`."""
    call_hash: str = ""
    """What names exactly this call: an answer counts for no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonObserved(EngineEvent):
    """The run made a mistake that is worth remembering: its own reflection says so, or tests that an edit broke."""

    type: ClassVar[str] = "LessonObserved"
    source: Literal["reflection", "test"]
    pattern: str
    """The mistake, in one sentence."""
    cause: str = ""
    solution: str = ""
    evidence: str = ""
    step_id: str = ""
    """Where it was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInterrupted(EngineEvent):
    """The worker lost the run or is being shut down: run it again now, with a higher fence, from its last
    step.

    Its `run_seq` is 0: a hint that saves waiting for the lease to run out, which may be lost without harm.
    """

    type: ClassVar[str] = "RunInterrupted"
    reason: str
    is_loss: bool = False
    """Whether the worker died over it; a run that kills its workers is given up in the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceProgressed(EngineEvent):
    """A command that gathers evidence goes on; `output` is the end of what it has written so far."""

    type: ClassVar[str] = "EvidenceProgressed"
    is_of_run: ClassVar[bool] = False
    run_id: str = ""
    fence: int = 0
    run_seq: int = 0
    evidence_id: int
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFinished(EngineEvent):
    """A command that gathers evidence has ended; `exit_code` is None when it did not end by itself, and `note` says why."""

    type: ClassVar[str] = "EvidenceFinished"
    is_of_run: ClassVar[bool] = False
    run_id: str = ""
    fence: int = 0
    run_seq: int = 0
    evidence_id: int
    status: Literal["passed", "failed", "cancelled", "lost"]
    exit_code: int | None
    duration_ms: int
    output: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceInterrupted(EngineEvent):
    """The process that ran a command for a review has died: run it again now. A hint, as `RunInterrupted`."""

    type: ClassVar[str] = "EvidenceInterrupted"
    is_of_run: ClassVar[bool] = False
    run_id: str = ""
    fence: int = 0
    run_seq: int = 0
    evidence_id: int


_TYPES: dict[str, type[EngineEvent]] = {
    kind.type: kind
    for kind in (
        RunStarted,
        Heartbeat,
        StepStarted,
        StepFinished,
        ChangeProposed,
        ReviewCommented,
        RunFinished,
        RunFailed,
        RunStopped,
        RunSuspended,
        RunDelegated,
        ApprovalAsked,
        SteeringTaken,
        LessonObserved,
        RunInterrupted,
        EvidenceProgressed,
        EvidenceFinished,
        EvidenceInterrupted,
    )
}


def to_wire(event: EngineEvent) -> dict[str, Any]:
    """Return the event as a JSON-safe dict with its type and version."""
    return {"type": event.type, "version": VERSION, **asdict(event)}


def from_wire(data: dict[str, Any]) -> EngineEvent:
    """Return the event that `to_wire` wrote.

    Raises:
        ValueError: unknown type or version, or fields that do not fit.
    """
    data = dict(data)
    kind, version = data.pop("type", None), data.pop("version", None)
    if kind not in _TYPES or version != VERSION:
        raise ValueError(f"unknown engine event {kind!r} version {version!r}")
    try:
        return _TYPES[kind](**data)
    except TypeError as error:
        raise ValueError(f"malformed {kind}: {error}") from error


@dataclass(frozen=True, slots=True)
class Ack:
    """What the relay answers on a run's acks stream; one of the two is set."""

    seq: int | None = None
    """Every event up to this `run_seq` is committed."""
    superseded: int | None = None
    """A worker with this higher fence holds the run, or the run has ended: a lower one stops in silence."""

    def to_fields(self) -> dict[str, str]:
        """Return the fields of the Redis stream entry: `seq` or `superseded`."""
        return {name: str(value) for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Ack:
        """Return what `to_fields` wrote.

        Raises:
            ValueError: neither field is a whole number.
        """
        values = {name: int(fields[name]) for name in ("seq", "superseded") if name in fields}
        if not values:
            raise ValueError(f"malformed ack: {sorted(fields)}")
        return cls(**values)
