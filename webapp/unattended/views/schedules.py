"""The pages of schedules."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.access import person
from webapp.unattended import access, cron, selectors, services
from webapp.unattended.forms import ScheduleForm
from webapp.unattended.models import Schedule
from webapp.unattended.views.shared import edit_page, list_page, page, title_of
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role, Workspace
from workers.errors import PyAgentError


@require_safe
@login_required
def schedules(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The workspace's schedules: when each is due next, and how its last run went."""
    workspace = workspace_for(request.user, workspace_id)
    found = selectors.schedules_of(workspace)
    last = selectors.last_runs(found)
    rows = [(schedule, cron.words(schedule.cron), last.get(schedule.pk)) for schedule in found]
    return list_page(request, workspace, "unattended", schedules=rows)


@require_safe
@login_required
def schedule(request: HttpRequest, workspace_id: int, schedule_id: int) -> HttpResponse:
    """One schedule with its history."""
    found = access.item_for(Schedule, request.user, workspace_id, schedule_id)
    return page(
        request,
        "schedule",
        found.workspace,
        item=found,
        words=cron.words(found.cron),
        firings=selectors.firings_of(found),
        acts=selectors.acts_on(found),
        may_change=access.may_change(request.user, found.workspace, found),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Make a schedule."""
    return _form(request, workspace_for(request.user, workspace_id, role=Role.MEMBER), None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, workspace_id: int, schedule_id: int) -> HttpResponse:
    """Change a schedule."""
    found = access.item_to_change(Schedule, request.user, workspace_id, schedule_id)
    return _form(request, found.workspace, found)


def _form(request: HttpRequest, workspace: Workspace, item: Schedule | None) -> HttpResponse:
    user = person(request)
    form = ScheduleForm(request.POST or None, workspace=workspace, user=user, item=item)

    def save() -> Schedule:
        given, when = form.to_fields(), form.to_when()
        if item is None:
            return services.create_schedule(workspace=workspace, created_by=user, given=given, when=when)
        seen = form.cleaned_data["seen"]
        return services.change_schedule(schedule=item, changed_by=user, given=given, when=when, seen=seen)

    title = title_of(item, "New schedule")
    return edit_page(request, form, workspace, tab="unattended", title=title, item=item, save=save)


@require_POST
@login_required
def switch(request: HttpRequest, workspace_id: int, schedule_id: int) -> HttpResponse:
    """Switch a schedule on or off."""
    found = access.item_to_change(Schedule, request.user, workspace_id, schedule_id)
    services.switch_schedule(schedule=found, is_on=request.POST.get("is_on") == "1", by=person(request))
    return redirect("schedule", workspace_id, schedule_id)


@require_POST
@login_required
def start(request: HttpRequest, workspace_id: int, schedule_id: int) -> HttpResponse:
    """Start its run now."""
    found = access.item_to_change(Schedule, request.user, workspace_id, schedule_id)
    try:
        services.start_now(schedule=found, asked_by=person(request))
    except PyAgentError as error:
        messages.error(request, str(error))
    return redirect("schedule", workspace_id, schedule_id)


@require_POST
@login_required
def delete(request: HttpRequest, workspace_id: int, schedule_id: int) -> HttpResponse:
    """Delete a schedule."""
    found = access.item_to_change(Schedule, request.user, workspace_id, schedule_id)
    services.delete_schedule(schedule=found, deleted_by=person(request))
    messages.success(request, f"“{found.name}” is deleted; its runs stay.")
    return redirect("unattended", workspace_id)
