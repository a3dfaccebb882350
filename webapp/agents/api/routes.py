"""Which agent runs on which models, over REST."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema

from webapp.accounts.access import require_scope
from webapp.agents import routes
from webapp.agents.routes import Route
from webapp.api import Body, ErrorReply
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role

router = Router(tags=["models"])
ERRORS: dict[Any, Any] = {401: ErrorReply, 403: ErrorReply, 404: ErrorReply, 422: ErrorReply}


class RouteOut(Schema):
    """An agent's models in order; an empty `agent` stands for all without a list of their own."""

    agent: str = Field(examples=["coder"])
    models: list[int] = Field(description="Ids of models; the next is asked when one fails.")


class RouteIn(Body):
    """An agent's models in order; none takes its list away."""

    agent: str = Field("", max_length=40, examples=["coder"])
    models: list[int] = Field(max_length=routes.MAX_MODELS, examples=[[1, 2]])


def _shown(route: Route) -> dict[str, Any]:
    return {"agent": route.agent, "models": [profile.pk for profile in route.profiles]}


@router.get(
    "/workspaces/{int:workspace_id}/agent-models",
    response={200: list[RouteOut], **ERRORS},
    summary="List the models of each agent",
)
def list_routes(request: HttpRequest, workspace_id: int) -> Any:
    """Return each agent's list of models; an empty one means that the list for all others, or a default, holds."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    return [_shown(route) for route in routes.routes_of(workspace)]


@router.put(
    "/workspaces/{int:workspace_id}/agent-models",
    response={200: list[RouteOut], **ERRORS},
    summary="Set the models of an agent",
)
def set_route(request: HttpRequest, workspace_id: int, body: RouteIn) -> Any:
    """Set an agent's list of models, in order; for maintainers."""
    workspace = workspace_for(require_scope(request, "admin"), workspace_id, role=Role.MAINTAINER)
    routes.set_route(workspace=workspace, agent=body.agent, profile_ids=body.models)
    return [_shown(route) for route in routes.routes_of(workspace)]
