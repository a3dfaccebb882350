"""Agents and runs over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from webapp.accounts.access import require_scope
from webapp.agents import access, budgets, selectors, services
from webapp.agents.models import Run, Step
from webapp.api import Body, ErrorReply
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role
from workers.queue import Budget

router = Router(tags=["runs"])
ERRORS: dict[Any, Any] = {401: ErrorReply, 403: ErrorReply, 404: ErrorReply, 422: ErrorReply}
CHANGING: dict[Any, Any] = {**ERRORS, 409: ErrorReply}
StatusFilter = Literal["all", "active", "suspended", "finished", "failed", "cancelled", "dead"]
Priority = Literal["critical", "high", "standard", "low"]


class RunOut(Schema):
    """One agent at work, or what became of it."""

    id: UUID
    workspace_id: int
    agent: str = Field(examples=["coder"])
    goal: str = Field(
        description="On one line, cut to 300 characters; whole in a single run.",
        examples=["fix the failing test"],
    )
    status: Literal[
        "queued",
        "running",
        "cancelling",
        "suspending",
        "suspended",
        "finished",
        "failed",
        "cancelled",
        "dead",
    ]
    priority: Priority
    suspend_reason: Literal["", "preempted", "person", "children", "approval", "limit"] = Field(
        description="Why it is suspended, or why it is queued again though it had begun."
    )
    suspended_at: datetime | None
    requested_by_id: int | None
    model: str = Field(examples=["SmolLM2-135M-Instruct (embedded)"])
    attempts: int = Field(description="How often it was begun; above 1 when a worker was lost.")
    input_tokens: int
    output_tokens: int
    cost_usd: float | None = Field(
        description="Null when the price of any call is unknown; never 0 for unknown."
    )
    error_code: str = Field(examples=["provider_timeout"])
    error_message: str
    answer: str = Field(description="Cut to 4,000 characters; whole in a single run.")
    advice: str = Field(description="What a person can do about the error.")
    is_retryable: bool
    review_id: int | None = Field(description="The change set that the run offers or answers.")
    retry_of: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class StepOut(Schema):
    """A node of the reasoning tree, without its detail."""

    id: str
    parent: str = Field(description="Empty for a root.")
    kind: str = Field(examples=["tool_call"])
    title: str
    status: str = Field(examples=["ok"])
    duration_ms: int | None
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    started_at: datetime
    seq: int


class StepDetailOut(StepOut):
    """A node with its detail: prompts, arguments, output, as the kind has them."""

    detail: dict[str, Any]


class RunDetailOut(RunOut):
    """A run with its whole goal, its whole answer and the first thousand steps."""

    steps: list[StepOut]
    has_more_steps: bool


class RunsOut(Schema):
    """A page of runs, newest first."""

    runs: list[RunOut]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")


class StepsOut(Schema):
    """Steps in the order in which they began."""

    steps: list[StepOut]
    has_more: bool


class BudgetIn(Body):
    """Where the run must stop; null means without limit."""

    steps: int = Field(40, ge=1, le=budgets.MAX_STEPS)
    tokens: int | None = Field(400_000, ge=1, le=budgets.MAX_TOKENS)
    seconds: int = Field(900, ge=1, le=budgets.MAX_SECONDS)
    cost_usd: float | None = Field(None, ge=0, le=budgets.MAX_COST_USD)


class BudgetOut(Schema):
    """Where runs stop; null means without limit."""

    steps: int = Field(examples=[40])
    tokens: int | None = Field(examples=[400_000])
    seconds: int = Field(examples=[900])
    cost_usd: float | None


class RunIn(Body):
    """Call an agent."""

    agent: str = Field(max_length=40, examples=["tidy"])
    goal: str = Field(
        "",
        max_length=20_000,
        description="May be empty for an agent that needs no words.",
        examples=["tidy up src/parser.py"],
    )
    model_id: int | None = Field(
        None, description="A model of yours, of the workspace or of the installation; its default when null."
    )
    budget: BudgetIn | None = Field(None, description="The workspace's default budget when null.")
    priority: Priority = Field(
        "standard", description="Critical is for maintainers: it may suspend what others have at work."
    )
    attachments: list[str] = Field(
        [],
        max_length=8,
        description="Files of the workspace that come with the goal: pictures, recordings, PDF, text.",
        examples=[[]],
    )


@router.get(
    "/workspaces/{int:workspace_id}/budget",
    response={200: BudgetOut, **ERRORS},
    summary="Get the default budget",
)
def get_budget(request: HttpRequest, workspace_id: int) -> Any:
    """Return where a run of this workspace stops when its call says nothing else."""
    return budgets.default_budget(workspace_for(require_scope(request, "read"), workspace_id))


@router.put(
    "/workspaces/{int:workspace_id}/budget",
    response={200: BudgetOut, **ERRORS},
    summary="Set the default budget",
)
def set_budget(request: HttpRequest, workspace_id: int, body: BudgetIn) -> Any:
    """Set where runs stop that are called from now on; for maintainers."""
    workspace = workspace_for(require_scope(request, "admin"), workspace_id, role=Role.MAINTAINER)
    budgets.set_default_budget(workspace=workspace, budget=Budget(**body.dict()))
    return budgets.default_budget(workspace)


def _detail(run: Run) -> dict[str, Any]:
    steps, has_more = selectors.steps_after(run)
    whole = {"goal": run.goal, "answer": run.answer}
    return (
        selectors.summary(run)
        | whole
        | {"steps": [selectors.step_row(s) for s in steps], "has_more_steps": has_more}
    )


@router.get("/workspaces/{int:workspace_id}/runs", response={200: RunsOut, **ERRORS}, summary="List runs")
def list_runs(
    request: HttpRequest,
    workspace_id: int,
    status: StatusFilter = "all",
    agent: str = Query("", max_length=40, pattern=r"^[a-z0-9_-]*$"),
    by: int | None = Query(None, ge=1, le=2**31 - 1, description="The person who called the agent."),
    origin: Literal["", "person", "delegation", "schedule", "webhook", "goal"] = "",
    priority: Literal["", "critical", "high", "standard", "low"] = "",
    cursor: str = Query("", max_length=120, pattern=r"^[0-9A-Za-z:.+~-]*$"),
    limit: int = Query(50, ge=1, le=200),
) -> Any:
    """Return a page of the workspace's runs, newest first."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    asked = selectors.RunFilter(status=status, agent=agent, requested_by=by, origin=origin, priority=priority)
    page = selectors.runs_page(workspace.pk, asked, cursor=cursor, limit=limit)
    return {"runs": [selectors.summary(run) for run in page.runs], "next_cursor": page.next_cursor}


@router.post(
    "/workspaces/{int:workspace_id}/runs", response={201: RunOut, **CHANGING}, summary="Call an agent"
)
def start_run(request: HttpRequest, workspace_id: int, body: RunIn) -> Any:
    """Start a run; watch its status, or listen on the workspace socket."""
    user = require_scope(request, "run")
    workspace = workspace_for(user, workspace_id, role=Role.MEMBER)
    access.check_priority(workspace.role, body.priority)  # type: ignore[attr-defined]
    profile = access.profile_to_run_on(user, workspace, body.model_id) if body.model_id is not None else None
    run = services.start_run(
        workspace=workspace,
        requested_by=user,
        agent=body.agent,
        goal=body.goal,
        model_profile=profile,
        budget=Budget(**body.budget.dict()) if body.budget else None,
        priority=body.priority,
        attachments=body.attachments,
    )
    return Status(201, selectors.summary(run))


@router.get(
    "/workspaces/{int:workspace_id}/runs/{uuid:run_id}",
    response={200: RunDetailOut, **ERRORS},
    summary="Get a run",
)
def get_run(request: HttpRequest, workspace_id: int, run_id: UUID) -> Any:
    """Return one run with its reasoning tree."""
    return _detail(access.run_for(require_scope(request, "read"), run_id, workspace_id=workspace_id))


@router.get(
    "/workspaces/{int:workspace_id}/runs/{uuid:run_id}/steps",
    response={200: StepsOut, **ERRORS},
    summary="List steps",
)
def list_steps(
    request: HttpRequest, workspace_id: int, run_id: UUID, after: int = Query(-1, ge=-1, le=2**31 - 1)
) -> Any:
    """Return up to a thousand steps that began after number `after`."""
    run = access.run_for(require_scope(request, "read"), run_id, workspace_id=workspace_id)
    steps, has_more = selectors.steps_after(run, after)
    return {"steps": [selectors.step_row(step) for step in steps], "has_more": has_more}


def _step_with_detail(step: Step) -> dict[str, Any]:
    return selectors.step_row(step) | {"detail": step.detail}


@router.get(
    "/workspaces/{int:workspace_id}/runs/{uuid:run_id}/steps/{step_id}",
    response={200: StepDetailOut, **ERRORS},
    summary="Get a step",
)
def get_step(request: HttpRequest, workspace_id: int, run_id: UUID, step_id: str) -> Any:
    """Return one step with what it did."""
    run = access.run_for(require_scope(request, "read"), run_id, workspace_id=workspace_id)
    return _step_with_detail(selectors.step_of(run, step_id))


@router.post(
    "/workspaces/{int:workspace_id}/runs/{uuid:run_id}/cancel",
    response={200: RunOut, **CHANGING},
    summary="Stop a run",
)
def cancel_run(request: HttpRequest, workspace_id: int, run_id: UUID) -> Any:
    """Stop a run: your own, or anybody's as a maintainer."""
    user = require_scope(request, "run")
    run = access.run_to_cancel(user, run_id, workspace_id=workspace_id)
    return selectors.summary(services.cancel_run(run=run, cancelled_by=user))


@router.post(
    "/workspaces/{int:workspace_id}/runs/{uuid:run_id}/retry",
    response={201: RunOut, **CHANGING},
    summary="Try a run again",
)
def retry_run(request: HttpRequest, workspace_id: int, run_id: UUID) -> Any:
    """Start a new run with the same goal, on the files as they are now."""
    user = require_scope(request, "run")
    run = access.run_for(user, run_id, Role.MEMBER, workspace_id=workspace_id)
    return Status(201, selectors.summary(services.retry_run(run=run, requested_by=user)))
