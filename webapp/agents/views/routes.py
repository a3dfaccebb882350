"""The page on which a workspace says which agent runs on which models, in order."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from webapp.agents import routes
from webapp.agents.forms import RouteForm
from webapp.errors import Invalid
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role


@require_http_methods(["GET", "POST"])
@login_required
def agent_models(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Each agent's list of models, and the one for all others."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MAINTAINER)
    offered = routes.offered_profiles(workspace)
    refusal, asked = "", None
    if request.method == "POST":
        asked = RouteForm(request.POST, profiles=offered)
        try:
            if asked.is_valid():
                agent = asked.cleaned_data["agent"]
                routes.set_route(workspace=workspace, agent=agent, profile_ids=asked.profile_ids)
                messages.success(request, "Saved. Runs that begin from now on use this list.")
                return redirect("agent_models", workspace_id=workspace.pk)
            refusal = "Choose from the lists."
        except Invalid as error:
            refusal = str(error)
    forms = [
        asked
        if asked is not None and asked.data.get("agent", "") == route.agent
        else RouteForm(profiles=offered, route=route)
        for route in routes.routes_of(workspace)
    ]
    context = {"workspace": workspace, "route_forms": forms, "has_models": bool(offered), "refusal": refusal}
    return render(request, "agents/agent_models.html", context, status=422 if refusal else 200)
