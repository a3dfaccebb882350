"""Pages about the fleet: all of it for the installation's owner, a workspace's part for its members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from webapp.accounts.access import person, require_owner
from webapp.accounts.models import User
from webapp.agents import services as agents_services
from webapp.agents.access import priorities_for
from webapp.agents.models import Run
from webapp.errors import Invalid
from webapp.fleet import access, selectors, services
from webapp.workspaces.models import Role


@require_safe
@login_required
def workspace_fleet(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """What a workspace's members see of the fleet."""
    sight = access.fleet_of(person(request), workspace_id)
    workspace = sight.workspace
    context = {"workspace": workspace, "weight": selectors.weight_of(workspace_id)}
    return _show(request, sight, workspace.role, context)  # type: ignore[union-attr]


@require_safe
@login_required
def fleet(request: HttpRequest) -> HttpResponse:
    """The whole fleet, for the installation's owner."""
    sight = access.whole_fleet(request.user)
    context = {
        "shares": selectors.shares(),
        "bounds": (services.LEAST_WEIGHT, services.MOST_WEIGHT),
        "set_aside": selectors.set_aside_events(),
    }
    return _show(request, sight, Role.OWNER, context)


def _show(request: HttpRequest, sight: access.Sight, role: str, context: dict[str, Any]) -> HttpResponse:
    context |= {
        "sight": sight,
        "picture": selectors.look(sight),
        "given_up": selectors.given_up_runs(sight),
        "priorities": priorities_for(role),
    }
    is_piece = request.headers.get("HX-Request")
    return render(request, "fleet/_body.html" if is_piece else "fleet/fleet.html", context)


@require_POST
@login_required
def set_share(request: HttpRequest) -> HttpResponse:
    """Say how much of the fleet a workspace gets."""
    owner = require_owner(request.user)
    try:
        workspace_id, weight = int(request.POST["workspace_id"]), float(request.POST["weight"])
    except (KeyError, ValueError) as error:
        raise Invalid("A share is a workspace and a weight.") from error
    workspace = access.workspace_of_fleet(owner, workspace_id)
    services.set_share(workspace=workspace, weight=weight, set_by=owner)
    return _answer(request)


def _reprioritise(request: HttpRequest, run: Run, owner: User) -> None:
    agents_services.reprioritise_run(run=run, priority=request.POST.get("priority", ""))


ACTIONS: dict[str, Callable[[HttpRequest, Run, User], object]] = {
    "suspend": lambda _, run, owner: agents_services.suspend_run(run=run),
    "resume": lambda _, run, owner: agents_services.resume_by_person(run=run),
    "cancel": lambda _, run, owner: agents_services.cancel_run(run=run, cancelled_by=owner),
    "priority": _reprioritise,
    "retry": lambda _, run, owner: services.retry_for_caller(run=run),
    "dismiss": lambda _, run, owner: agents_services.dismiss_run(run=run, dismissed_by=owner),
}
"""What the installation's owner does with any run, to keep the fleet in order; a run's words stay its workspace's."""


@require_POST
@login_required
def act(request: HttpRequest, run_id: UUID, action: str) -> HttpResponse:
    """Hold a run of any workspace, or deal with one that was given up."""
    run = access.run_of_fleet(request.user, run_id)
    ACTIONS[action](request, run, person(request))
    return _answer(request)


def _answer(request: HttpRequest) -> HttpResponse:
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({})
    return redirect("fleet")
