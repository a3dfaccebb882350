"""Runs held, put back to work, made more or less urgent, and dismissed, over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Status

from webapp.accounts.access import require_scope
from webapp.agents import access, selectors, services
from webapp.agents.api.runs import CHANGING, Priority, RunOut
from webapp.api import Body
from webapp.workspaces.access import workspace_for

router = Router(tags=["runs"])
RUN = "/workspaces/{int:workspace_id}/runs/{uuid:run_id}"


class PriorityIn(Body):
    """How urgent a run is."""

    priority: Priority = Field(description="Critical is for maintainers.", examples=["high"])


@router.post(f"{RUN}/suspend", response={200: RunOut, **CHANGING}, summary="Suspend a run")
def suspend_run(request: HttpRequest, workspace_id: int, run_id: UUID) -> Any:
    """Suspend a run, your own or as a maintainer anybody's: it gives up its slot and keeps every finished step."""
    user = require_scope(request, "run")
    run = access.run_to_control(user, run_id, workspace_id=workspace_id, doing="suspend")
    return selectors.summary(services.suspend_run(run=run))


@router.post(f"{RUN}/resume", response={200: RunOut, **CHANGING}, summary="Resume a run")
def resume_run(request: HttpRequest, workspace_id: int, run_id: UUID) -> Any:
    """Queue a suspended run again; it goes on after its last finished step."""
    user = require_scope(request, "run")
    run = access.run_to_control(user, run_id, workspace_id=workspace_id, doing="resume")
    return selectors.summary(services.resume_by_person(run=run))


@router.put(f"{RUN}/priority", response={200: RunOut, **CHANGING}, summary="Change a run's priority")
def set_priority(request: HttpRequest, workspace_id: int, run_id: UUID, body: PriorityIn) -> Any:
    """Change how urgent a run is, and the runs that it called."""
    user = require_scope(request, "run")
    run = access.run_to_control(user, run_id, workspace_id=workspace_id, doing="re-prioritise")
    access.check_priority(run.workspace.role, body.priority)  # type: ignore[attr-defined]
    return selectors.summary(services.reprioritise_run(run=run, priority=body.priority))


@router.get(
    "/workspaces/{int:workspace_id}/runs-given-up",
    response={200: list[RunOut], **CHANGING},
    summary="List the runs given up",
)
def list_given_up(request: HttpRequest, workspace_id: int) -> Any:
    """Return runs that lost their worker too often and that nobody has dismissed or tried again, the last one first."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    runs = selectors.given_up(workspace.pk).select_related(*selectors.CARD_RELATED)[:200]
    return [selectors.summary(run) for run in runs]


@router.post(f"{RUN}/dismiss", response={204: None, **CHANGING}, summary="Dismiss a run that was given up")
def dismiss_run(request: HttpRequest, workspace_id: int, run_id: UUID) -> Any:
    """Take a run that was given up off the list of those that want attention."""
    user = require_scope(request, "run")
    run = access.run_to_control(user, run_id, workspace_id=workspace_id, doing="dismiss")
    services.dismiss_run(run=run, dismissed_by=user)
    return Status(204, None)
