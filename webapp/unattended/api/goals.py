"""Goals over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from webapp.accounts.access import require_scope
from webapp.unattended import access, selectors, services
from webapp.unattended.api.shared import CHANGING, ERRORS, CallingIn, CallingOut
from webapp.unattended.models import Goal
from webapp.unattended.services import Limits
from webapp.unattended.services import goals as limits
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role

router = Router()
ALL = "/{int:workspace_id}/unattended/goals"
ONE = ALL + "/{int:goal_id}"


class GoalIn(CallingIn):
    """Let an agent work in rounds until a check says that the goal is reached; `budget` is a round's."""

    goal: str = Field(min_length=1, max_length=limits.GOAL_CHARS, examples=["Make the tests pass"])
    command: str = Field(
        "", max_length=limits.COMMAND_CHARS, description="Must succeed on what is proposed; empty for none."
    )
    criteria: str = Field(
        "", max_length=limits.CRITERIA_CHARS, description="What @auditor judges by; empty for none."
    )
    max_rounds: int = Field(5, ge=1, le=limits.MAX_ROUNDS)
    max_tokens: int | None = Field(2_000_000, ge=1, le=limits.MAX_TOKENS)
    max_cost_usd: float | None = Field(
        None, ge=0.01, le=limits.MAX_COST_USD, description="Only where the price of the model is known."
    )
    max_seconds: int = Field(4 * 3600, ge=1, le=limits.MAX_SECONDS, description="Waiting included.")

    def to_limits(self) -> Limits:
        """Return the check and the whole budget as the service takes them."""
        names = ("command", "criteria", "max_rounds", "max_tokens", "max_cost_usd", "max_seconds")
        return Limits(**{name: getattr(self, name) for name in names})


class GoalSpentOut(Schema):
    """Used up by all runs of a goal."""

    rounds: int
    tokens: int
    cost_usd: float | None = Field(description="Null when the price of any run is unknown.")
    seconds: int


class GoalOut(CallingOut):
    """A goal, how it stands and what it has used up."""

    command: str
    criteria: str
    max_rounds: int
    max_tokens: int | None
    max_cost_usd: float | None
    max_seconds: int
    state: Literal["working", "reached", "budget", "stuck", "stopped", "failed"]
    note: str = Field(description="How it ended, in words.")
    change_set_id: int | None = Field(description="What the rounds propose together; it waits for people.")
    ended_at: datetime | None
    spent: GoalSpentOut


class RoundOut(Schema):
    """One try at a goal, and what the check said."""

    number: int
    stage: Literal["work", "command", "audit", "done"]
    run_id: UUID | None
    revision: int | None = Field(description="The revision that is proposed after this round.")
    is_changed: bool
    evidence_id: int | None = Field(description="The command's run, shown in the review.")
    audit_run_id: UUID | None
    is_reached: bool | None
    words: str
    created_at: datetime
    ended_at: datetime | None


@router.get(ALL, response={200: list[GoalOut], **ERRORS}, summary="List goals")
def list_goals(request: HttpRequest, workspace_id: int) -> Any:
    """Return the workspace's last 100 goals, newest first."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    return [selectors.goal_row(goal) for goal in selectors.goals_of(workspace)]


@router.post(ALL, response={201: GoalOut, **CHANGING}, summary="Set a goal")
def set_goal(request: HttpRequest, workspace_id: int, body: GoalIn) -> Any:
    """Let an agent work towards it in your name; its first round begins within seconds."""
    user = require_scope(request, "run")
    workspace = workspace_for(user, workspace_id, role=Role.MEMBER)
    goal = services.set_goal(
        workspace=workspace, set_by=user, given=body.to_fields(), limits=body.to_limits()
    )
    return Status(201, selectors.goal_row(goal))


@router.get(ONE, response={200: GoalOut, **ERRORS}, summary="Get a goal")
def get_goal(request: HttpRequest, workspace_id: int, goal_id: int) -> Any:
    """Return one goal."""
    return selectors.goal_row(access.item_for(Goal, require_scope(request, "read"), workspace_id, goal_id))


@router.get(f"{ONE}/rounds", response={200: list[RoundOut], **ERRORS}, summary="List rounds")
def list_rounds(request: HttpRequest, workspace_id: int, goal_id: int) -> Any:
    """Return its rounds, newest first."""
    goal = access.item_for(Goal, require_scope(request, "read"), workspace_id, goal_id)
    return [selectors.round_row(one) for one in selectors.rounds_of(goal)]


@router.post(f"{ONE}/stop", response={200: GoalOut, **CHANGING}, summary="Stop a goal")
def stop_goal(request: HttpRequest, workspace_id: int, goal_id: int) -> Any:
    """Stop it with whatever its round is at; what it proposes by then stays in its review."""
    user = require_scope(request, "run")
    goal = access.item_to_change(Goal, user, workspace_id, goal_id)
    return selectors.goal_row(services.stop_goal(goal=goal, stopped_by=user))


@router.delete(ONE, response={204: None, **CHANGING}, summary="Delete a goal")
def delete_goal(request: HttpRequest, workspace_id: int, goal_id: int) -> Any:
    """Delete a goal that has ended; its runs and its review stay."""
    user = require_scope(request, "run")
    goal = access.item_to_change(Goal, user, workspace_id, goal_id)
    services.delete_goal(goal=goal, deleted_by=user)
    return Status(204, None)
