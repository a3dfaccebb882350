"""Agents that people define, over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from webapp.accounts.access import require_scope
from webapp.accounts.models import User
from webapp.agents import access, definitions, services
from webapp.agents.api.runs import CHANGING, ERRORS, BudgetIn
from webapp.agents.models import AgentDefinition, AgentVersion
from webapp.agents.services.definitions import DESCRIPTION_CHARS, INSTRUCTIONS_CHARS, AgentFields
from webapp.api import Body
from webapp.errors import Forbidden
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role, Workspace
from workers.queue import Budget

router = Router(tags=["agents"])
AGENT = "/workspaces/{int:workspace_id}/agents/{int:agent_id}"


class AgentOut(Schema):
    """An agent that can be called."""

    name: str = Field(examples=["tidy"])
    description: str
    needs_model: bool = Field(description="Whether it asks a model; others work without one.")
    needs_goal: bool = Field(description="Whether it must be told what to do.")
    id: int | None = Field(
        description="Of an agent that people defined; null for one that comes with PyAgent."
    )


class VersionOut(Schema):
    """What an agent was told to be at one time."""

    number: int = Field(examples=[3])
    description: str
    instructions: str
    tools: list[str] = Field(examples=[["list_files", "read_file"]])
    model_id: int | None = Field(description="The model it always runs on; null for its caller’s.")
    budget: dict[str, Any] | None = Field(
        description="Where its runs stop; null for the workspace’s default."
    )
    note: str
    created_by_id: int | None
    created_at: datetime


class DefinitionOut(Schema):
    """An agent that people defined."""

    id: int
    name: str = Field(examples=["docs-writer"])
    visibility: Literal["private", "workspace", "installation"]
    owner_id: int | None
    is_archived: bool
    current: VersionOut
    created_at: datetime


class AgentFieldsIn(Body):
    """What an agent is told to be."""

    description: str = Field(
        min_length=1, max_length=DESCRIPTION_CHARS, examples=["Keeps the manual in step"]
    )
    instructions: str = Field(
        min_length=1, max_length=INSTRUCTIONS_CHARS, examples=["You keep docs/ in step with the code."]
    )
    tools: list[str] = Field(default_factory=list, max_length=20, examples=[["list_files", "read_file"]])
    model_id: int | None = Field(None, ge=1, le=2**31 - 1)
    budget: BudgetIn | None = None
    note: str = Field("", max_length=200)


class AgentChangeIn(AgentFieldsIn):
    """What an agent is told to be from now on."""

    version: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="The version that was changed. Where another one answers by now, nothing is saved.",
    )


class AgentIn(AgentFieldsIn):
    """A new agent."""

    name: str = Field(min_length=2, max_length=32, pattern=r"^[a-z][a-z0-9_-]*$", examples=["docs-writer"])
    visibility: Literal["private", "workspace", "installation"] = "workspace"


def _version(row: AgentVersion) -> dict[str, Any]:
    names = (
        "number",
        "description",
        "instructions",
        "tools",
        "budget",
        "note",
        "created_by_id",
        "created_at",
    )
    return {name: getattr(row, name) for name in names} | {"model_id": row.model_profile_id}


def _shown(row: AgentDefinition) -> dict[str, Any]:
    names = ("id", "name", "visibility", "owner_id", "is_archived", "created_at")
    assert row.current is not None  # noqa: S101 - every definition is made with a version
    return {name: getattr(row, name) for name in names} | {"current": _version(row.current)}


def _said(user: User, workspace: Workspace, body: AgentFieldsIn) -> AgentFields:
    profile = access.profile_to_run_on(user, workspace, body.model_id) if body.model_id is not None else None
    return AgentFields(
        description=body.description,
        instructions=body.instructions,
        tools=body.tools,
        model_profile=profile,
        budget=Budget(**body.budget.dict()) if body.budget is not None else None,
        note=body.note,
    )


def _to_change(
    request: HttpRequest, workspace_id: int, agent_id: int
) -> tuple[User, Workspace, AgentDefinition]:
    user = require_scope(request, "write")
    workspace = workspace_for(user, workspace_id, role=Role.MEMBER)
    return user, workspace, access.definition_to_change(user, workspace, agent_id)


@router.get(
    "/workspaces/{int:workspace_id}/agents", response={200: list[AgentOut], **ERRORS}, summary="List agents"
)
def list_agents(request: HttpRequest, workspace_id: int) -> Any:
    """Return the agents that can be called in this workspace."""
    user = require_scope(request, "read")
    return definitions.callable_agents(user, workspace_for(user, workspace_id))


@router.post(
    "/workspaces/{int:workspace_id}/agents",
    response={201: DefinitionOut, **CHANGING},
    summary="Define an agent",
)
def define_agent(request: HttpRequest, workspace_id: int, body: AgentIn) -> Any:
    """Return the new agent; it can be called at once."""
    user = require_scope(request, "write")
    workspace = workspace_for(user, workspace_id, role=Role.MEMBER)
    if not access.may_define(user, workspace, body.visibility):
        raise Forbidden("Only the owner of this installation defines agents for everybody.")
    row = services.define_agent(
        workspace=workspace,
        defined_by=user,
        name=body.name,
        visibility=body.visibility,
        fields=_said(user, workspace, body),
    )
    return Status(201, _shown(row))


@router.get(AGENT, response={200: DefinitionOut, **ERRORS}, summary="Get an agent that people defined")
def get_agent(request: HttpRequest, workspace_id: int, agent_id: int) -> Any:
    """Return one agent with the version that answers."""
    user = require_scope(request, "read")
    return _shown(access.definition_for(user, workspace_for(user, workspace_id), agent_id))


@router.put(AGENT, response={200: DefinitionOut, **CHANGING}, summary="Change an agent")
def change_agent(request: HttpRequest, workspace_id: int, agent_id: int, body: AgentChangeIn) -> Any:
    """Write a new version, which answers from now on; return the agent."""
    user, workspace, row = _to_change(request, workspace_id, agent_id)
    services.change_agent(
        definition=row, changed_by=user, fields=_said(user, workspace, body), seen=body.version
    )
    return _shown(access.definition_for(user, workspace, agent_id))


@router.delete(AGENT, response={204: None, **CHANGING}, summary="Archive an agent")
def archive_agent(request: HttpRequest, workspace_id: int, agent_id: int) -> Any:
    """Let it answer no more. Its versions and runs stay, and it can be brought back."""
    user, _, row = _to_change(request, workspace_id, agent_id)
    services.archive_agent(definition=row, archived_by=user)
    return Status(204, None)


@router.post(f"{AGENT}/bring-back", response={200: DefinitionOut, **CHANGING}, summary="Bring an agent back")
def bring_back(request: HttpRequest, workspace_id: int, agent_id: int) -> Any:
    """Let an archived agent answer again."""
    user, workspace, row = _to_change(request, workspace_id, agent_id)
    services.archive_agent(definition=row, archived_by=user, is_archived=False)
    return _shown(access.definition_for(user, workspace, agent_id))


@router.get(
    f"{AGENT}/versions", response={200: list[VersionOut], **ERRORS}, summary="List an agent's versions"
)
def list_versions(request: HttpRequest, workspace_id: int, agent_id: int) -> Any:
    """Return all versions, newest first."""
    user = require_scope(request, "read")
    row = access.definition_for(user, workspace_for(user, workspace_id), agent_id)
    return [_version(one) for one in row.versions.all()]


@router.post(
    f"{AGENT}/versions/{{int:number}}/restore",
    response={200: DefinitionOut, **CHANGING},
    summary="Go back to a version",
)
def restore_version(request: HttpRequest, workspace_id: int, agent_id: int, number: int) -> Any:
    """Write a new version that says what that one said; return the agent."""
    user, workspace, row = _to_change(request, workspace_id, agent_id)
    services.restore_version(definition=row, number=number, restored_by=user)
    return _shown(access.definition_for(user, workspace, agent_id))
