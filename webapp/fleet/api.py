"""The fleet over REST: what a workspace's members see of it, and all of it for the installation's owner."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from webapp.accounts.access import person, require_scope
from webapp.agents import services as agents_services
from webapp.agents.api.controls import PriorityIn
from webapp.agents.api.runs import Priority
from webapp.agents.models import Run
from webapp.api import Body, ErrorReply
from webapp.fleet import access, selectors, services

router = Router(tags=["fleet"])
ERRORS: dict[Any, Any] = {401: ErrorReply, 403: ErrorReply, 404: ErrorReply, 422: ErrorReply}
CHANGING: dict[Any, Any] = {**ERRORS, 409: ErrorReply}
RUN = "/fleet/runs/{uuid:run_id}"


class DeviceOut(Schema):
    """A GPU."""

    index: int
    name: str = Field(description="`GPU` for who does not own the installation.")
    total_mb: int
    free_mb: int
    reserved_mb: int = Field(description="Promised to runs that were admitted.")


class FleetLineOut(Schema):
    """A run of the fleet. Of another workspace's run only status and priority are told; its `run_id` is empty."""

    run_id: str
    workspace_id: int | None
    workspace: str
    agent: str
    goal: str = Field(description="Empty for who is no member of its workspace.")
    status: str = Field(examples=["queued"])
    priority: Priority
    effective_priority: str = Field(description="What waiting has made of it; empty when that is the same.")
    suspend_reason: str
    since: datetime | None
    why: str = Field(description="Why it waits or is suspended, in words.")
    node: str
    model: str
    tokens_per_s: float
    may_hold: bool = Field(description="Whether you may suspend, stop and re-prioritise it.")
    may_resume: bool


class NodeOut(Schema):
    """A machine; by number only for who does not own the installation."""

    name: str
    host: str
    pid: int | None
    queues: list[str] = Field(examples=[["cpu"]])
    slots: int
    busy: int
    devices: list[DeviceOut]
    is_quiet: bool = Field(description="Whether it was not heard of for a while.")


class LimitOut(Schema):
    """How much of a model's limits is used; null where it has none."""

    model: str
    running: int
    concurrency: int | None
    tokens_used_per_minute: int
    tokens_per_minute: int | None


class FleetOut(Schema):
    """The fleet now, as you may see it."""

    is_heard: bool = Field(
        description="Whether the fleet's leader speaks; while it does not, what is queued stays queued."
    )
    at: datetime | None = Field(description="When the leader spoke last.")
    slots: int
    busy: int
    nodes: list[NodeOut]
    waiting: list[FleetLineOut] = Field(description="In the order in which they get a slot.")
    running: list[FleetLineOut]
    suspended: list[FleetLineOut]
    others_running: int = Field(description="Runs of other workspaces at work.")
    limits: list[LimitOut] = Field(
        description="Models with limits; empty for who does not own the installation."
    )


class ShareOut(Schema):
    """How much of the fleet a workspace gets beside the others, inside one priority."""

    workspace_id: int
    workspace: str
    weight: float = Field(description="1 unless the owner of the installation has set another.")


class ShareIn(Body):
    """A workspace's weight."""

    workspace_id: int = Field(examples=[1])
    weight: float = Field(ge=services.LEAST_WEIGHT, le=services.MOST_WEIGHT, examples=[2])


class GivenUpOut(Schema):
    """A run that lost its worker too often. Its goal and steps stay its workspace's."""

    run_id: UUID
    workspace_id: int
    workspace: str
    agent: str
    cause: str
    attempts: int
    finished_at: datetime | None


class SetAsideOut(Schema):
    """An event of the engine that could not be recorded."""

    id: str
    at: datetime
    type: str
    run_id: str
    problem: str


@router.get(
    "/workspaces/{int:workspace_id}/fleet",
    response={200: FleetOut, **ERRORS},
    summary="Get the fleet as a workspace sees it",
)
def get_workspace_fleet(request: HttpRequest, workspace_id: int) -> Any:
    """Return slots as numbers, this workspace's runs by name, and others' as places in the line."""
    return selectors.look(access.fleet_of(require_scope(request, "read"), workspace_id))


@router.get("/fleet", response={200: FleetOut, **ERRORS}, summary="Get the whole fleet")
def get_fleet(request: HttpRequest) -> Any:
    """Return machines, slots, GPUs and every workspace's runs; for the owner of the installation."""
    return selectors.look(access.whole_fleet(require_scope(request, "admin")))


@router.get("/fleet/shares", response={200: list[ShareOut], **ERRORS}, summary="List shares")
def list_shares(request: HttpRequest) -> Any:
    """Return each workspace's share; for the owner of the installation."""
    access.whole_fleet(require_scope(request, "admin"))
    return selectors.shares()


@router.put("/fleet/shares", response={200: ShareOut, **ERRORS}, summary="Set a share")
def set_share(request: HttpRequest, body: ShareIn) -> Any:
    """Set how much of the fleet a workspace gets; for the owner of the installation."""
    owner = require_scope(request, "admin")
    workspace = access.workspace_of_fleet(owner, body.workspace_id)
    share = services.set_share(workspace=workspace, weight=body.weight, set_by=owner)
    return {"workspace_id": workspace.pk, "workspace": workspace.name, "weight": share.weight}


@router.get("/fleet/given-up", response={200: list[GivenUpOut], **ERRORS}, summary="List all runs given up")
def list_given_up(request: HttpRequest) -> Any:
    """Return the runs of all workspaces that want attention, the last one first; for the owner of the installation."""
    sight = access.whole_fleet(require_scope(request, "admin"))
    return [
        {
            "run_id": one.run.pk,
            "workspace_id": one.run.workspace_id,
            "workspace": one.run.workspace.name,
            "agent": one.run.agent,
            "cause": one.run.error_message,
            "attempts": one.run.attempts,
            "finished_at": one.run.finished_at,
        }
        for one in selectors.given_up_runs(sight)
    ]


@router.get("/fleet/set-aside", response={200: list[SetAsideOut], **ERRORS}, summary="List events set aside")
def list_set_aside(request: HttpRequest) -> Any:
    """Return the last events of the engine that could not be recorded; for the owner of the installation."""
    access.whole_fleet(require_scope(request, "admin"))
    return selectors.set_aside_events()


def _run(request: HttpRequest, run_id: UUID) -> Run:
    return access.run_of_fleet(require_scope(request, "admin"), run_id)


class HeldOut(Schema):
    """How a run stands now."""

    run_id: UUID = Field(alias="pk")
    status: str = Field(examples=["suspended"])
    priority: Priority


@router.post(f"{RUN}/suspend", response={200: HeldOut, **CHANGING}, summary="Suspend any run")
def suspend_run(request: HttpRequest, run_id: UUID) -> Any:
    """Suspend a run of any workspace; for the owner of the installation."""
    return agents_services.suspend_run(run=_run(request, run_id))


@router.post(f"{RUN}/resume", response={200: HeldOut, **CHANGING}, summary="Resume any run")
def resume_run(request: HttpRequest, run_id: UUID) -> Any:
    """Queue a suspended run of any workspace again; for the owner of the installation."""
    return agents_services.resume_by_person(run=_run(request, run_id))


@router.post(f"{RUN}/cancel", response={200: HeldOut, **CHANGING}, summary="Stop any run")
def cancel_run(request: HttpRequest, run_id: UUID) -> Any:
    """Stop a run of any workspace; for the owner of the installation."""
    run = _run(request, run_id)
    return agents_services.cancel_run(run=run, cancelled_by=person(request))


@router.put(f"{RUN}/priority", response={200: HeldOut, **CHANGING}, summary="Change any run's priority")
def set_priority(request: HttpRequest, run_id: UUID, body: PriorityIn) -> Any:
    """Change how urgent a run of any workspace is; for the owner of the installation."""
    return agents_services.reprioritise_run(run=_run(request, run_id), priority=body.priority)


@router.post(f"{RUN}/retry", response={201: HeldOut, **CHANGING}, summary="Try a run that was given up again")
def retry_run(request: HttpRequest, run_id: UUID) -> Any:
    """Call the agent again in its caller's name, on the files as they are now; for the owner of the installation."""
    return Status(201, services.retry_for_caller(run=_run(request, run_id)))


@router.post(f"{RUN}/dismiss", response={204: None, **CHANGING}, summary="Dismiss any run that was given up")
def dismiss_run(request: HttpRequest, run_id: UUID) -> Any:
    """Take a run off the list of those that want attention; for the owner of the installation."""
    agents_services.dismiss_run(run=_run(request, run_id), dismissed_by=person(request))
    return Status(204, None)
