"""News about runs. Small on purpose: a step's detail is fetched by whoever opens it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQueued:
    """A person called an agent. `run` is `selectors.summary`."""

    type: ClassVar[str] = "RunQueued"
    run_id: str
    run: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChanged:
    """A run's status, totals or outcome changed. `run` is `selectors.summary`."""

    type: ClassVar[str] = "RunChanged"
    run_id: str
    run: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalChanged:
    """A call waits for a person's yes, or was answered. `approval` is `policies.selectors.approval_row`."""

    type: ClassVar[str] = "ApprovalChanged"
    run_id: str
    approval: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A node of the tree appeared. `step` is `selectors.step_row`."""

    type: ClassVar[str] = "StepStarted"
    run_id: str
    step: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """A node of the tree is done; `totals` are the run's tokens and cost so far."""

    type: ClassVar[str] = "StepFinished"
    run_id: str
    step: dict[str, Any]
    totals: dict[str, Any]
