"""Pages about runs: the list, one run with its whole tree, and the pieces that the pages load by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from webapp.accounts.access import person
from webapp.agents import access, definitions, selectors, services
from webapp.agents.definitions import AgentOffer
from webapp.agents.forms import StartForm
from webapp.agents.lineage import lineage_of
from webapp.agents.models import Run
from webapp.agents.policies.selectors import approvals_of
from webapp.agents.rows import row_html, rows_html
from webapp.agents.selectors import RunFilter
from webapp.agents.services import steering
from webapp.agents.tree import build_tree
from webapp.errors import Invalid
from webapp.workspaces.access import includes, workspace_for
from webapp.workspaces.models import Role
from workers.errors import PyAgentError
from workers.queue import PRIORITIES

TABS = {
    "all": "All",
    "active": "At work",
    "suspended": "Suspended",
    "finished": "Finished",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "dead": "Given up",
}


Choices = tuple[tuple[str, str], ...]


def _choices(found: Sequence[AgentOffer]) -> Choices:
    return tuple((agent.name, f"@{agent.name}: {agent.description}") for agent in found)


def _start_form(role: str, agents: Choices, data: Any = None) -> StartForm:
    return StartForm(data, agents=list(agents), priorities=access.priorities_for(role))


@lru_cache(maxsize=200)
def _start_fields(role: str, agents: Choices) -> SafeString:
    """Return the empty form's fields, which are the same for everybody of one role who may call the same agents."""
    return render_to_string("_fields.html", {"form": _start_form(role, agents)})


def _asked(request: HttpRequest) -> RunFilter:
    given = request.GET
    by = given.get("by", "")
    if by and not (by.isascii() and by.isdigit() and len(by) < 10):
        raise Invalid("`by` is the number of a person.")
    return RunFilter(
        status=given.get("status") or "all",
        agent=given.get("agent", "")[:40],
        requested_by=int(by) if by else None,
        origin=given.get("origin", "")[:20],
        priority=given.get("priority", "")[:20],
    )


@lru_cache(maxsize=200)
def _filter_fields(user_id: int, names: tuple[str, ...], asked: RunFilter) -> SafeString:
    """Return what the list can be narrowed by, and what is chosen: the same whenever that person asks for the same."""
    people = [(str(user_id), "Me")]
    if asked.requested_by is not None and asked.requested_by != user_id:
        people.append((str(asked.requested_by), "One person"))
    agents = [(name, f"@{name}") for name in names]
    if asked.agent and asked.agent not in names:
        agents.append((asked.agent, f"@{asked.agent}"))
    filters = [
        {"name": name, "label": label, "choices": choices, "chosen": chosen or ""}
        for name, label, choices, chosen in (
            ("agent", "Agent", agents, asked.agent),
            ("by", "Called by", people, str(asked.requested_by or "")),
            ("origin", "Begun by", Run.Origin.choices, asked.origin),
            ("priority", "Priority", [(one, one.capitalize()) for one in PRIORITIES], asked.priority),
        )
    ]
    return render_to_string("agents/_run_filters.html", {"filters": filters})


@require_safe
@login_required
def runs(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The workspace's runs, newest first, a page at a time."""
    workspace = workspace_for(request.user, workspace_id)
    asked, cursor = _asked(request), request.GET.get("after", "")
    page = selectors.run_rows(workspace.pk, asked, cursor=cursor)
    rows = rows_html(page, asked)
    if request.headers.get("HX-Request") and cursor:
        return HttpResponse(rows)
    role: str = workspace.role  # type: ignore[attr-defined]
    may_start = includes(role, Role.MEMBER)
    found = definitions.suggested_agents(request.user, workspace)
    context = {
        "workspace": workspace,
        "page": page,
        "rows": rows,
        "status": asked.status,
        "asked": asked,
        "is_narrowed": asked != RunFilter(status=asked.status),
        "narrowed": urlencode({**asked.query(), "status": ""}),
        "filter_fields": _filter_fields(person(request).pk, tuple(agent.name for agent in found), asked),
        "tabs": TABS.items(),
        "counts": selectors.counts(workspace.pk),
        "start_fields": _start_fields(role, _choices(found)) if may_start else "",
    }
    return render(request, "agents/runs.html", context)


@require_POST
@login_required
def start(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Call an agent from the runs page."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MEMBER)
    role = workspace.role  # type: ignore[attr-defined]
    access.check_priority(role, request.POST.get("priority", ""))
    form = _start_form(role, _choices(definitions.suggested_agents(request.user, workspace)), request.POST)
    if not form.is_valid():
        raise Invalid("Choose an agent and say what to do.")
    run = services.start_run(workspace=workspace, requested_by=request.user, **form.cleaned_data)  # type: ignore[arg-type]
    return redirect("run", workspace.pk, run.pk)


def _tree_context(request: HttpRequest, run: Run) -> dict[str, Any]:
    steps, has_more = selectors.steps_after(run)
    return {
        "workspace": run.workspace,
        "run": run,
        "tree": build_tree(steps),
        "step_count": len(steps),
        "has_more": has_more,
        "approvals": approvals_of(run, viewer=request.user),
        "may_cancel": access.may_cancel(request.user, run),
        "may_retry": access.may_retry(request.user, run),
        "priorities": access.priorities_for(run.workspace.role),  # type: ignore[attr-defined]
        "hears": steering.hears(run),
        "notes": selectors.waiting_notes(run),
        "lineage": lineage_of(run),
    }


@require_safe
@login_required
def run(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """One run with its whole tree; readable without scripts."""
    found = access.run_for(request.user, run_id, workspace_id=workspace_id)
    return render(request, "agents/run.html", _tree_context(request, found))


@require_safe
@login_required
def row(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """A run's line in the list, for the page that heard of a change."""
    found = access.run_for(request.user, run_id, workspace_id=workspace_id)
    return HttpResponse(row_html(selectors.run_row(found)))


@require_safe
@login_required
def card(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """A run's card."""
    found = access.run_for(request.user, run_id, workspace_id=workspace_id)
    return render(request, "agents/_card.html", {"run": found, "workspace": found.workspace})


@require_safe
@login_required
def state(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """What a card needs to show itself: header, steps after `after`, and what this person may do."""
    found = access.run_for(request.user, run_id, workspace_id=workspace_id)
    try:
        after = int(request.GET.get("after", "-1"))
    except ValueError as error:
        raise Invalid("`after` is the number of a step.") from error
    steps, has_more = selectors.steps_after(found, max(-1, min(after, 2**31 - 1)))
    body = {
        "run": selectors.summary(found) | {"goal": found.goal, "answer": found.answer},
        "steps": [selectors.step_row(step) for step in steps],
        "has_more": has_more,
        "approvals": approvals_of(found, viewer=request.user),
        "children": selectors.child_rows(found),
        "may_cancel": access.may_cancel(request.user, found),
        "may_retry": access.may_retry(request.user, found),
        "priorities": access.priorities_for(found.workspace.role),  # type: ignore[attr-defined]
    }
    response = JsonResponse(body)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@login_required
def step(request: HttpRequest, workspace_id: int, run_id: UUID, step_id: str) -> HttpResponse:
    """What one step did, opened."""
    found = access.run_for(request.user, run_id, workspace_id=workspace_id)
    context = {
        "step": selectors.step_of(found, step_id),
        "run": found,
        "workspace": found.workspace,
        "child": found.children.filter(parent_step=step_id).first(),
        "may_steer": access.may_cancel(request.user, found),
        "hears": steering.hears(found),
    }
    template = (
        "agents/_step.html" if request.headers.get("X-Requested-With") == "run-card" else "agents/step.html"
    )
    return render(request, template, context)


@require_POST
@login_required
def cancel(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """Stop a run."""
    found = access.run_to_cancel(request.user, run_id, workspace_id=workspace_id)
    services.cancel_run(run=found, cancelled_by=request.user)  # type: ignore[arg-type]
    return _answer(request, workspace_id, run_id)


@require_POST
@login_required
def suspend(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """Suspend a run: it gives up its slot after its present step and keeps what it has done."""
    found = access.run_to_control(request.user, run_id, workspace_id=workspace_id, doing="suspend")
    services.suspend_run(run=found)
    return _answer(request, workspace_id, run_id)


@require_POST
@login_required
def resume(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """Let a suspended run go on."""
    found = access.run_to_control(request.user, run_id, workspace_id=workspace_id, doing="resume")
    services.resume_by_person(run=found)
    return _answer(request, workspace_id, run_id)


@require_POST
@login_required
def priority(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """Change how urgent a run is."""
    found = access.run_to_control(request.user, run_id, workspace_id=workspace_id, doing="re-prioritise")
    wanted = request.POST.get("priority", "")
    access.check_priority(found.workspace.role, wanted)  # type: ignore[attr-defined]
    services.reprioritise_run(run=found, priority=wanted)
    return _answer(request, workspace_id, run_id)


@require_POST
@login_required
def dismiss(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """Be told of a run that was given up no more."""
    found = access.run_to_control(request.user, run_id, workspace_id=workspace_id, doing="dismiss")
    services.dismiss_run(run=found, dismissed_by=request.user)  # type: ignore[arg-type]
    return _answer(request, workspace_id, run_id)


@require_POST
@login_required
def retry(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """Try a run again."""
    found = access.run_for(request.user, run_id, Role.MEMBER, workspace_id=workspace_id)
    try:
        again = services.retry_run(run=found, requested_by=request.user)  # type: ignore[arg-type]
    except PyAgentError as error:
        if request.headers.get("Accept") == "application/json":
            raise
        messages.error(request, str(error))
        return redirect("run", workspace_id, run_id)
    return _answer(request, workspace_id, again.pk)


def _answer(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    if request.headers.get("Accept") == "application/json":
        found = access.run_for(request.user, run_id, workspace_id=workspace_id)
        return JsonResponse({"run": selectors.summary(found)})
    return redirect("run", workspace_id, run_id)
