"""The page of patterns: what stands in the files and should not, and the workspace's own rules."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from webapp.accounts.access import person
from webapp.codehealth import services
from webapp.codehealth.forms import RuleForm
from webapp.codehealth.rules import findings_in, rule_of
from webapp.errors import Conflict, Invalid
from webapp.workspaces.access import includes, workspace_for
from webapp.workspaces.models import Role
from workers.codehealth.errors import InvalidRule


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def patterns(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """What was found and the rules; maintainers add rules."""
    needed = Role.MAINTAINER if request.method == "POST" else Role.VIEWER
    workspace = workspace_for(request.user, workspace_id, role=needed)
    form = RuleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.add_rule(workspace=workspace, added_by=person(request), **form.cleaned_data)
        except (Invalid, InvalidRule, Conflict) as error:
            field = error.facts.get("field", "pattern" if isinstance(error, InvalidRule) else None)
            form.add_error(field, str(error))
        else:
            messages.success(request, "Added.")
            return redirect("health_patterns", workspace.pk)
    found, has_more = findings_in(workspace)
    context = {
        "workspace": workspace,
        "form": form,
        "found": found,
        "has_more": has_more,
        "rules": workspace.pattern_rules.all(),
        "may_change": includes(workspace.role, Role.MAINTAINER),  # type: ignore[attr-defined]
    }
    return render(request, "codehealth/patterns.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def delete(request: HttpRequest, workspace_id: int, rule_id: int) -> HttpResponse:
    """Take a rule out."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MAINTAINER)
    services.delete_rule(rule=rule_of(workspace, rule_id), deleted_by=person(request))
    return redirect("health_patterns", workspace.pk)
