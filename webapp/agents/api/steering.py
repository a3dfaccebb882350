"""Telling a run something while it works, and doing it again from one of its steps, over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from webapp.accounts.access import require_scope
from webapp.agents import access, lineage, selectors, services
from webapp.agents.api.runs import CHANGING, ERRORS, RunOut
from webapp.agents.services.steering import TEXT_CHARS
from webapp.api import Body

router = Router(tags=["runs"])
RUN = "/workspaces/{int:workspace_id}/runs/{uuid:run_id}"
Kind = Literal["message", "answer", "redirect", "stop_step", "approve", "deny"]


class NoteIn(Body):
    """A word to a run that is at work."""

    kind: Kind = Field(
        description="message and redirect are for the run or one step; the others need a step that is open.",
        examples=["message"],
    )
    text: str = Field(
        "",
        max_length=TEXT_CHARS,
        description="Needed for message, answer and redirect.",
        examples=["Use tabs."],
    )
    step_id: str = Field("", max_length=40, description="A step of the run; empty for the run as a whole.")


class NoteOut(Schema):
    """What a person told a run."""

    id: int
    run_id: UUID = Field(description="A run below, when the step waits for one.")
    kind: Kind
    text: str
    step_id: str
    by: str
    created_at: datetime
    taken_at: datetime | None = Field(description="When the agent took it up; null while it waits.")


class RerunIn(Body):
    """Where a run is to be done again from, and with which words."""

    step_id: str = Field(
        "", max_length=40, description="The first step to do again; empty for the beginning."
    )
    text: str = Field("", max_length=TEXT_CHARS, description="What the agent is told on the way.")
    goal: str = Field("", max_length=20_000, description="Another goal; only from the beginning.")


@router.post(f"{RUN}/steer", response={201: NoteOut, **CHANGING}, summary="Tell a run something")
def steer_run(request: HttpRequest, workspace_id: int, run_id: UUID, body: NoteIn) -> Any:
    """Say something to a run that is at work, stop one of its steps, or approve or deny a call; the rest of it goes on."""
    user = require_scope(request, "run")
    run = access.run_to_control(user, run_id, workspace_id=workspace_id, doing="steer")
    note = services.steer_run(run=run, by=user, kind=body.kind, text=body.text, step_id=body.step_id)
    return Status(201, selectors.note_facts(note))


@router.get(f"{RUN}/notes", response={200: list[NoteOut], **ERRORS}, summary="List what people told a run")
def list_notes(request: HttpRequest, workspace_id: int, run_id: UUID) -> Any:
    """Return what people told this run, oldest first."""
    run = access.run_for(require_scope(request, "read"), run_id, workspace_id=workspace_id)
    return [selectors.note_facts(note) for note in run.steering.select_related("by")[:500]]


class PlaceOut(Schema):
    """A run among those that asked each other."""

    depth: int = Field(description="0 for the run that a person asked for.")
    run: RunOut


@router.get(f"{RUN}/lineage", response={200: list[PlaceOut], **ERRORS}, summary="Get a run's lineage")
def get_lineage(request: HttpRequest, workspace_id: int, run_id: UUID) -> Any:
    """Return the whole tree that this run is part of, parents before their children."""
    run = access.run_for(require_scope(request, "read"), run_id, workspace_id=workspace_id)
    return lineage.lineage_rows(run)


@router.post(f"{RUN}/rerun", response={201: RunOut, **CHANGING}, summary="Run again from a step")
def rerun(request: HttpRequest, workspace_id: int, run_id: UUID, body: RerunIn) -> Any:
    """Start a new run that takes over the steps that were finished before one of them, and the files as they were then."""
    user = require_scope(request, "run")
    run = access.run_to_control(user, run_id, workspace_id=workspace_id, doing="run again")
    again = services.rerun(run=run, requested_by=user, **body.dict())
    return Status(201, selectors.summary(again))
