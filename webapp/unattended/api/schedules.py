"""Schedules over REST, and the record of who did what with all unattended work."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from webapp.accounts.access import require_scope
from webapp.api import SeenIn, SeenOut
from webapp.unattended import access, selectors, services
from webapp.unattended.api.shared import CHANGING, ERRORS, ActOut, CallingIn, CallingOut, EnabledIn, act_row
from webapp.unattended.models import Schedule
from webapp.unattended.services import When
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role

router = Router()
ALL = "/{int:workspace_id}/unattended/schedules"
ONE = ALL + "/{int:schedule_id}"


class ScheduleIn(CallingIn):
    """Call an agent again and again."""

    cron: str = Field(
        max_length=100, description="Minute, hour, day, month, weekday.", examples=["0 3 * * 1-5"]
    )
    zone: str = Field("UTC", max_length=60, examples=["Europe/Berlin"])
    when_busy: Literal["skip", "queue"] = Field(
        "skip", description="What happens when the last run still works."
    )

    def to_when(self) -> When:
        """Return the time as the service takes it."""
        return When(cron=self.cron, zone=self.zone, when_busy=self.when_busy)


class ScheduleChangeIn(ScheduleIn):
    """What a schedule says from now on."""

    seen: SeenIn = None


class ScheduleOut(CallingOut):
    """An agent that is called again and again."""

    cron: str
    zone: str
    words: str = Field(examples=["At 03:00 on Monday through Friday"])
    when_busy: Literal["skip", "queue"]
    seen: SeenOut
    is_enabled: bool
    stop_note: str = Field(description="Why it was switched off by itself.")
    next_at: datetime | None


class FiringOut(Schema):
    """A due moment and what came of it."""

    moment: datetime
    outcome: Literal["started", "waiting", "skipped", "failed"]
    note: str
    missed: int = Field(description="Moments before this one that nobody could start; they are not made up.")
    run_id: UUID | None
    asked_by_id: int | None = Field(description="Who started it by hand.")


@router.get(
    "/{int:workspace_id}/unattended/acts", response={200: list[ActOut], **ERRORS}, summary="List who did what"
)
def list_acts(request: HttpRequest, workspace_id: int) -> Any:
    """Return the last 200 acts on schedules, webhooks and goals, newest first; they outlive what they tell of."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    return [act_row(act) for act in selectors.acts_in(workspace)]


@router.get(ALL, response={200: list[ScheduleOut], **ERRORS}, summary="List schedules")
def list_schedules(request: HttpRequest, workspace_id: int) -> Any:
    """Return the workspace's schedules by name."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    return [selectors.schedule_row(schedule) for schedule in selectors.schedules_of(workspace)]


@router.post(ALL, response={201: ScheduleOut, **CHANGING}, summary="Make a schedule")
def create_schedule(request: HttpRequest, workspace_id: int, body: ScheduleIn) -> Any:
    """Call an agent at these times from now on, in your name."""
    user = require_scope(request, "run")
    workspace = workspace_for(user, workspace_id, role=Role.MEMBER)
    schedule = services.create_schedule(
        workspace=workspace, created_by=user, given=body.to_fields(), when=body.to_when()
    )
    return Status(201, selectors.schedule_row(schedule))


@router.get(ONE, response={200: ScheduleOut, **ERRORS}, summary="Get a schedule")
def get_schedule(request: HttpRequest, workspace_id: int, schedule_id: int) -> Any:
    """Return one schedule."""
    user = require_scope(request, "read")
    return selectors.schedule_row(access.item_for(Schedule, user, workspace_id, schedule_id))


@router.put(ONE, response={200: ScheduleOut, **CHANGING}, summary="Change a schedule")
def change_schedule(request: HttpRequest, workspace_id: int, schedule_id: int, body: ScheduleChangeIn) -> Any:
    """Change your schedule, or take over anybody's as a maintainer: whoever changes it answers for it."""
    user = require_scope(request, "run")
    schedule = access.item_to_change(Schedule, user, workspace_id, schedule_id)
    changed = services.change_schedule(
        schedule=schedule, changed_by=user, given=body.to_fields(), when=body.to_when(), seen=body.seen or ""
    )
    return selectors.schedule_row(changed)


@router.delete(ONE, response={204: None, **ERRORS}, summary="Delete a schedule")
def delete_schedule(request: HttpRequest, workspace_id: int, schedule_id: int) -> Any:
    """Delete the schedule; its runs stay."""
    user = require_scope(request, "run")
    schedule = access.item_to_change(Schedule, user, workspace_id, schedule_id)
    services.delete_schedule(schedule=schedule, deleted_by=user)
    return Status(204, None)


@router.post(f"{ONE}/switch", response={200: ScheduleOut, **CHANGING}, summary="Switch a schedule on or off")
def switch_schedule(request: HttpRequest, workspace_id: int, schedule_id: int, body: EnabledIn) -> Any:
    """Switch the schedule; whoever switches it on answers for it."""
    user = require_scope(request, "run")
    schedule = access.item_to_change(Schedule, user, workspace_id, schedule_id)
    return selectors.schedule_row(services.switch_schedule(schedule=schedule, is_on=body.is_enabled, by=user))


@router.post(f"{ONE}/start", response={201: FiringOut, **CHANGING}, summary="Start a schedule now")
def start_schedule(request: HttpRequest, workspace_id: int, schedule_id: int) -> Any:
    """Start its run now, beside the due moments."""
    user = require_scope(request, "run")
    schedule = access.item_to_change(Schedule, user, workspace_id, schedule_id)
    return Status(201, selectors.firing_row(services.start_now(schedule=schedule, asked_by=user)))


@router.get(f"{ONE}/firings", response={200: list[FiringOut], **ERRORS}, summary="List due moments")
def list_firings(request: HttpRequest, workspace_id: int, schedule_id: int) -> Any:
    """Return the last 50 due moments and what came of them, newest first."""
    user = require_scope(request, "read")
    schedule = access.item_for(Schedule, user, workspace_id, schedule_id)
    return [selectors.firing_row(firing) for firing in selectors.firings_of(schedule)]
