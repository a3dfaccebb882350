"""The page of a workspace's policy, its versions, and the buttons that answer when it asks."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.agents import services as agents
from webapp.agents.policies import access, selectors, services
from webapp.agents.policies.forms import PolicyForm
from webapp.errors import Conflict, Invalid
from webapp.workspaces.access import includes, workspace_for
from webapp.workspaces.models import Role
from workers.agents.policy.pack import built_in_text, parse_pack
from workers.errors import PyAgentError


@require_http_methods(["GET", "POST"])
@login_required
def policy(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The policy as it stands, for maintainers to change."""
    role = Role.MAINTAINER if request.method == "POST" else Role.VIEWER
    workspace = workspace_for(request.user, workspace_id, role=role)
    current = selectors.current_version(workspace)
    number, text = (current.number, current.text) if current else (0, built_in_text())
    form = PolicyForm(request.POST or None, initial={"text": text, "expected": number})
    if request.method == "POST" and form.is_valid():
        try:
            saved = services.save_policy(workspace=workspace, saved_by=request.user, **form.cleaned_data)  # type: ignore[arg-type]
        except (Invalid, Conflict) as error:
            form.add_error("text", str(error))
        else:
            messages.success(
                request, f"Version {saved.number} is saved. Runs that begin from now on follow it."
            )
            return redirect("workspace_policy", workspace.pk)
    context = {
        "workspace": workspace,
        "form": form,
        "text": text,
        "current": current,
        "rules": parse_pack(text).rules,
        "versions": selectors.versions(workspace),
        "may_change": includes(workspace.role, Role.MAINTAINER),  # type: ignore[attr-defined]
    }
    return render(request, "agents/policies/policy.html", context, status=422 if form.errors else 200)


@require_safe
@login_required
def version(request: HttpRequest, workspace_id: int, number: int) -> HttpResponse:
    """One version: how it differs from the one before, and its text."""
    workspace = workspace_for(request.user, workspace_id)
    found = access.version_for(workspace, number)
    current = selectors.current_version(workspace)
    context = {
        "workspace": workspace,
        "version": found,
        "lines": selectors.diff_lines(selectors.text_before(found), found.text),
        "is_current": current is not None and current.number == number,
        "may_change": includes(workspace.role, Role.MAINTAINER),  # type: ignore[attr-defined]
    }
    return render(request, "agents/policies/version.html", context)


@require_POST
@login_required
def restore(request: HttpRequest, workspace_id: int, number: int) -> HttpResponse:
    """Bring an old version back, as a new one."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MAINTAINER)
    try:
        saved = services.restore_policy(workspace=workspace, number=number, restored_by=request.user)  # type: ignore[arg-type]
    except Conflict as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Version {saved.number} is saved: {saved.note}.")
    return redirect("workspace_policy", workspace.pk)


@require_POST
@login_required
def decide(request: HttpRequest, workspace_id: int, run_id: UUID, step_id: str) -> HttpResponse:
    """Say yes or no to a call that waits."""
    approval = access.approval_to_decide(request.user, run_id, step_id, workspace_id=workspace_id)
    wants_json = request.headers.get("Accept") == "application/json"
    verdict = request.POST.get("verdict", "")
    if verdict not in ("approve", "deny"):
        raise Invalid("The verdict is approve or deny.", field="verdict")
    try:
        agents.steer_run(
            run=approval.run,
            by=request.user,  # type: ignore[arg-type]
            kind=verdict,
            step_id=step_id,
            text=request.POST.get("text", ""),
        )
    except PyAgentError as error:
        if wants_json:
            raise
        messages.error(request, str(error))
    if wants_json:
        return JsonResponse({"approvals": selectors.approvals_of(approval.run, viewer=request.user)})
    return redirect("run", workspace_id, run_id)
