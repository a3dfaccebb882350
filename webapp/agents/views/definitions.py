"""The gallery of agents, and the pages on which people define their own."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.access import person
from webapp.agents import access, budgets, choosing, definitions, services
from webapp.agents.forms import AgentForm
from webapp.agents.models import AgentDefinition, AgentVersion
from webapp.agents.services.definitions import AgentFields
from webapp.errors import Conflict, Forbidden, Invalid, NotFound
from webapp.workspaces.access import includes, workspace_for
from webapp.workspaces.models import Role, Workspace

Visibility = AgentDefinition.Visibility


@require_safe
@login_required
def gallery(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Every agent that the person may call here, how their runs went, and the archived ones that the person may bring back."""
    workspace = workspace_for(request.user, workspace_id)
    records = definitions.records(workspace)
    found = definitions.callable_agents(request.user, workspace)
    archived = [
        row
        for row in AgentDefinition.objects.filter(workspace=workspace, is_archived=True).select_related(
            "current"
        )
        if access.may_change_definition(request.user, workspace, row)
    ]
    context = {
        "workspace": workspace,
        "agents": [(agent, records.get(agent.name, definitions.Record())) for agent in found],
        "archived": archived,
        "may_define": includes(workspace.role, Role.MEMBER),  # type: ignore[attr-defined]
    }
    return render(request, "agents/gallery.html", context)


def _form(request: HttpRequest, workspace: Workspace, version: AgentVersion | None) -> AgentForm:
    user = person(request)
    form = AgentForm(
        request.POST or None, profiles=choosing.usable_profiles(user, workspace), version=version
    )
    if version is None and not access.may_define(user, workspace, Visibility.INSTALLATION):
        choices = [choice for choice in Visibility.choices if choice[0] != Visibility.INSTALLATION]
        form.fields["visibility"].choices = choices  # type: ignore[attr-defined]
    return form


def _said(request: HttpRequest, workspace: Workspace, form: AgentForm) -> AgentFields:
    data = form.cleaned_data
    model_id = data["model_id"]
    return AgentFields(
        description=data["description"],
        instructions=data["instructions"],
        tools=data["tools"],
        model_profile=access.profile_to_run_on(person(request), workspace, model_id) if model_id else None,
        budget=form.budget(budgets.default_budget(workspace)),
        note=data.get("note", ""),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def define(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Define an agent."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MEMBER)
    form = _form(request, workspace, None)
    if request.method == "POST" and form.is_valid():
        if not access.may_define(request.user, workspace, form.cleaned_data["visibility"]):
            raise Forbidden("Only the owner of this installation defines agents for everybody.")
        try:
            row = services.define_agent(
                workspace=workspace,
                defined_by=person(request),
                name=form.cleaned_data["name"],
                visibility=form.cleaned_data["visibility"],
                fields=_said(request, workspace, form),
            )
        except (Invalid, Conflict) as error:
            form.add_error(error.facts.get("field"), str(error))
        else:
            messages.success(request, f"@{row.name} can be called now.")
            return redirect("agent", workspace.pk, row.pk)
    return _form_page(request, workspace, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change(request: HttpRequest, workspace_id: int, definition_id: int) -> HttpResponse:
    """Write a new version of an agent."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MEMBER)
    row = access.definition_to_change(request.user, workspace, definition_id)
    form, newer = _form(request, workspace, row.current), None
    if request.method == "POST" and form.is_valid():
        try:
            fields = _said(request, workspace, form)
            version = services.change_agent(
                definition=row,
                changed_by=person(request),
                fields=fields,
                seen=form.cleaned_data["version"],
            )
        except (Invalid, Conflict) as error:
            form.add_error(error.facts.get("field"), str(error))
            newer = error.facts.get("version")
            if newer is not None:
                answers = request.POST.copy()
                answers["version"] = str(newer)
                form.data = answers
        else:
            if version.pk == row.current_id:
                messages.info(request, f"Nothing was changed; version {version.number} goes on answering.")
            else:
                messages.success(request, f"@{row.name} answers in version {version.number} from now on.")
            return redirect("agent", workspace.pk, row.pk)
    return _form_page(request, workspace, form, row, newer)


def _form_page(
    request: HttpRequest,
    workspace: Workspace,
    form: AgentForm,
    row: AgentDefinition | None,
    newer: int | None = None,
) -> HttpResponse:
    context = {"workspace": workspace, "form": form, "definition": row, "newer": newer}
    return render(request, "agents/agent_form.html", context, status=422 if form.errors else 200)


@require_safe
@login_required
def agent(request: HttpRequest, workspace_id: int, definition_id: int) -> HttpResponse:
    """One agent that people defined: what it is told, its versions, how its runs went."""
    workspace = workspace_for(request.user, workspace_id)
    row = access.definition_for(request.user, workspace, definition_id)
    context = {
        "workspace": workspace,
        "definition": row,
        "version": row.current,
        "model": definitions.model_words(row.current) if row.current else "",
        "versions": row.versions.select_related("created_by")[:50],
        "tools": [definitions.TOOLS.get(name, name) for name in (row.current.tools if row.current else [])],
        "record": definitions.records(workspace).get(row.name, definitions.Record()),
        "may_change": access.may_change_definition(request.user, workspace, row),
    }
    return render(request, "agents/agent.html", context)


@require_safe
@login_required
def version(request: HttpRequest, workspace_id: int, definition_id: int, number: int) -> HttpResponse:
    """What changed in one version, against the one before it."""
    workspace = workspace_for(request.user, workspace_id)
    row = access.definition_for(request.user, workspace, definition_id)
    found: dict[int, Any] = {one.number: one for one in row.versions.filter(number__in=(number, number - 1))}
    if number not in found:
        raise NotFound("This agent has no such version.")
    context = {
        "workspace": workspace,
        "definition": row,
        "version": found[number],
        "lines": definitions.diff_lines(found.get(number - 1), found[number]),
        "may_restore": access.may_change_definition(request.user, workspace, row)
        and not row.is_archived
        and row.current_id != found[number].pk,
    }
    return render(request, "agents/agent_version.html", context)


@require_POST
@login_required
def restore(request: HttpRequest, workspace_id: int, definition_id: int, number: int) -> HttpResponse:
    """Go back to a version: a new one that says the same."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MEMBER)
    row = access.definition_to_change(request.user, workspace, definition_id)
    made = services.restore_version(definition=row, number=number, restored_by=person(request))
    messages.success(
        request, f"@{row.name} answers as in version {number} again; that is version {made.number}."
    )
    return redirect("agent", workspace.pk, row.pk)


@require_POST
@login_required
def archive(request: HttpRequest, workspace_id: int, definition_id: int) -> HttpResponse:
    """Put an agent away, or bring it back."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MEMBER)
    row = access.definition_to_change(request.user, workspace, definition_id)
    is_archived = request.POST.get("bring_back") is None
    services.archive_agent(definition=row, archived_by=person(request), is_archived=is_archived)
    messages.success(
        request, f"@{row.name} is archived." if is_archived else f"@{row.name} can be called again."
    )
    return redirect("workspace_agents", workspace.pk)
