"""What people tell a run from its page, and runs done again from a step. Plain forms; the card sends the same ones by script."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from webapp.agents import access, lineage, selectors, services
from workers.errors import PyAgentError


def _is_script(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


@require_POST
@login_required
def steer(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """Tell a run something, or stop one of its steps."""
    found = access.run_to_control(request.user, run_id, workspace_id=workspace_id, doing="steer")
    given = {name: request.POST.get(name, "") for name in ("kind", "text", "step_id")}
    try:
        note = services.steer_run(run=found, by=request.user, **given)  # type: ignore[arg-type]
    except PyAgentError as error:
        if _is_script(request):
            raise
        messages.error(request, str(error))
        return redirect("run", workspace_id, run_id)
    if _is_script(request):
        return JsonResponse({"note": selectors.note_facts(note)})
    messages.success(request, f"@{found.agent} is told.")
    return redirect("run", workspace_id, run_id)


@require_POST
@login_required
def rerun(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """Do a run again from one of its steps, or with another goal."""
    found = access.run_to_control(request.user, run_id, workspace_id=workspace_id, doing="run again")
    given = {name: request.POST.get(name, "") for name in ("step_id", "text", "goal")}
    try:
        again = services.rerun(run=found, requested_by=request.user, **given)  # type: ignore[arg-type]
    except PyAgentError as error:
        if _is_script(request):
            raise
        messages.error(request, str(error))
        return redirect("run", workspace_id, run_id)
    if _is_script(request):
        return JsonResponse({"run": selectors.summary(again)})
    return redirect("run", workspace_id, again.pk)


@require_safe
@login_required
def run_lineage(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """The runs around this one, for the page that heard of a change."""
    found = access.run_for(request.user, run_id, workspace_id=workspace_id)
    context = {"run": found, "workspace": found.workspace, "lineage": lineage.lineage_of(found)}
    return render(request, "agents/_lineage.html", context)
