"""What a run's page leads to: its steps over time with their costs, and its log."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from webapp.agents import access, selectors, timeline
from webapp.agents.models import Run
from webapp.errors import Invalid

LOG_PAGE = 500
MAX_RUNS = 20
"""Runs that one drawing holds: the run itself and those that it called."""


def _with_children(run: Run) -> list[Run]:
    """Return the run and the runs that it called, and so on, oldest first."""
    found, newest = [run], [run.pk]
    while newest and len(found) < MAX_RUNS:
        rows = Run.objects.filter(parent__in=newest, workspace_id=run.workspace_id).defer(
            "job", "model_choice"
        )
        children = list(rows.order_by("created_at")[: MAX_RUNS - len(found)])
        found += children
        newest = [child.pk for child in children]
    return found


@require_safe
@login_required
def over_time(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """The run's steps as bars along the time, those of the runs that it called below, and what each kind of step cost."""
    found = access.run_for(request.user, run_id, workspace_id=workspace_id)
    runs = _with_children(found)
    steps = timeline.steps_of(runs)
    context = {
        "workspace": found.workspace,
        "run": found,
        "timeline": timeline.draw(runs, steps, now=timezone.now()),
        "width": timeline.WIDTH,
        "costs": timeline.costs(steps[found.pk]),
        "dearest": sorted(steps[found.pk], key=lambda s: -(s.input_tokens + s.output_tokens))[:10],
    }
    return render(request, "agents/run_timeline.html", context)


@require_safe
@login_required
def log(request: HttpRequest, workspace_id: int, run_id: UUID) -> HttpResponse:
    """Everything that the run did, a line each, in the order in which it began."""
    found = access.run_for(request.user, run_id, workspace_id=workspace_id)
    try:
        after = int(request.GET.get("after", "-1"))
    except ValueError as error:
        raise Invalid("`after` is the number of a step.") from error
    steps, has_more = selectors.steps_after(found, max(-1, min(after, 2**31 - 1)), limit=LOG_PAGE)
    context = {
        "workspace": found.workspace,
        "run": found,
        "steps": steps,
        "has_more": has_more,
        "after": after,
    }
    return render(request, "agents/run_log.html", context)
