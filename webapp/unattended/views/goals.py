"""The pages of goals."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.access import person
from webapp.unattended import access, selectors, services
from webapp.unattended.forms import GoalForm
from webapp.unattended.models import Goal
from webapp.unattended.spending import spent_on
from webapp.unattended.views.shared import edit_page, list_page, page
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role
from workers.errors import PyAgentError


@require_safe
@login_required
def goals(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The workspace's goals and how each stands."""
    workspace = workspace_for(request.user, workspace_id)
    return list_page(request, workspace, "goals", goals=selectors.goals_of(workspace))


@require_safe
@login_required
def goal(request: HttpRequest, workspace_id: int, goal_id: int) -> HttpResponse:
    """One goal, round by round."""
    found = access.item_for(Goal, request.user, workspace_id, goal_id)
    return page(
        request,
        "goal",
        found.workspace,
        item=found,
        rounds=selectors.rounds_of(found),
        spent=spent_on(found, now=timezone.now()),
        acts=selectors.acts_on(found),
        may_change=access.may_change(request.user, found.workspace, found),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Set a goal."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MEMBER)
    user = person(request)
    form = GoalForm(request.POST or None, workspace=workspace, user=user)

    def save() -> Goal:
        return services.set_goal(
            workspace=workspace, set_by=user, given=form.to_fields(), limits=form.to_limits()
        )

    return edit_page(request, form, workspace, tab="goals", title="New goal", save=save, said="begins")


@require_POST
@login_required
def stop(request: HttpRequest, workspace_id: int, goal_id: int) -> HttpResponse:
    """Stop a goal."""
    found = access.item_to_change(Goal, request.user, workspace_id, goal_id)
    try:
        services.stop_goal(goal=found, stopped_by=person(request))
    except PyAgentError as error:
        messages.error(request, str(error))
    return redirect("goal", workspace_id, goal_id)


@require_POST
@login_required
def delete(request: HttpRequest, workspace_id: int, goal_id: int) -> HttpResponse:
    """Delete a goal that has ended."""
    found = access.item_to_change(Goal, request.user, workspace_id, goal_id)
    try:
        services.delete_goal(goal=found, deleted_by=person(request))
    except PyAgentError as error:
        messages.error(request, str(error))
        return redirect("goal", workspace_id, goal_id)
    messages.success(request, f"“{found.name}” is deleted; its review stays.")
    return redirect("goals", workspace_id)
