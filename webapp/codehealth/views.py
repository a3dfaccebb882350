"""The health pages of a workspace: overview, one file, limits, and the long measurements."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.access import person
from webapp.codehealth import presenting, selectors, services
from webapp.codehealth.checking import limits_of
from webapp.codehealth.figures import totals
from webapp.codehealth.forms import LimitsForm
from webapp.codehealth.treemap import HEIGHT, WIDTH, tiles
from webapp.errors import Invalid
from webapp.workspaces.access import includes, workspace_for
from webapp.workspaces.models import Role, Workspace

ROWS = 40
HOTSPOTS = 10
TREND_COMMITS = 60


def _may(workspace: Workspace, role: str) -> bool:
    return includes(workspace.role, role)  # type: ignore[attr-defined]


def _offset(request: HttpRequest) -> int:
    raw = request.GET.get("offset", "0")
    if not raw.isascii() or not raw.isdigit() or len(raw) > 6:
        raise Invalid("“offset” is not a number.")
    return int(raw)


@require_safe
@login_required
def overview(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The map of files, hotspots and trend; `folder` shows a part, `colour` says by what. An open page asks for its body."""
    workspace = workspace_for(request.user, workspace_id)
    folder = request.GET.get("folder", "").strip("/")
    measure = request.GET.get("colour", "maintainability")
    if measure not in presenting.MEASURES:
        raise Invalid("Files are coloured by maintainability or by cyclomatic.")
    is_body = bool(request.headers.get("HX-Request"))
    return render(
        request,
        "codehealth/_body.html" if is_body else "codehealth/overview.html",
        _overview(workspace, folder, measure, _offset(request)),
    )


def _overview(workspace: Workspace, folder: str, measure: str, offset: int) -> dict[str, Any]:
    health = selectors.health_of(workspace)
    everything = health.entries if health is not None else {}
    entries = selectors.below(everything, folder)
    files = selectors.ordered(entries, measure)
    sums = totals(entries.values())
    is_top = not folder and not offset
    trend = selectors.trend_of(workspace, limit=TREND_COMMITS) if is_top else []
    return {
        "workspace": workspace,
        "health": health,
        "sums": sums,
        "grade_of_mean": presenting.grade("maintainability", sums.maintainability),
        "folder": folder,
        "parents": [
            (part, "/".join(folder.split("/")[: n + 1])) for n, part in enumerate(folder.split("/")) if part
        ],
        "measure": measure,
        "measures": presenting.MEASURES.items(),
        "legend": list(enumerate(presenting.LEGENDS[measure], 1)),
        "tiles": [presenting.shown_tile(tile, measure) for tile in tiles(entries, under=folder)],
        "map_box": f"0 0 {WIDTH:g} {HEIGHT:g}",
        "files": files[offset : offset + ROWS],
        "offset": offset,
        "next_offset": offset + ROWS if len(files) > offset + ROWS else None,
        "hotspots": selectors.hotspots_of(workspace, everything, limit=HOTSPOTS)
        if is_top and everything
        else [],
        "trend": trend[-20:][::-1],
        "charts": presenting.charts(trend),
        "chart_box": f"0 0 {presenting.CHART_WIDTH} {presenting.CHART_HEIGHT}",
        "is_top": is_top,
        "limits": limits_of(workspace),
        **_measurements(workspace),
    }


def _measurements(workspace: Workspace) -> dict[str, Any]:
    return {"measurements": selectors.open_measurements(workspace), "may_start": _may(workspace, Role.MEMBER)}


@require_safe
@login_required
def file(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """One file, function by function."""
    workspace = workspace_for(request.user, workspace_id)
    path = request.GET.get("path", "")
    entry, figures = selectors.figures_of_file(workspace, path)
    limits = limits_of(workspace)
    columns, rows = presenting.function_table(figures["functions"], limits)
    return render(
        request,
        "codehealth/_file_body.html" if request.headers.get("HX-Request") else "codehealth/file.html",
        {
            "workspace": workspace,
            "path": path,
            "folder": path.rpartition("/")[0],
            "entry": entry,
            "figures": figures,
            "columns": columns,
            "rows": rows,
            "limits": limits,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def limits(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """What the workspace tolerates; everybody reads it, maintainers set it."""
    needed = Role.MAINTAINER if request.method == "POST" else Role.VIEWER
    workspace = workspace_for(request.user, workspace_id, role=needed)
    known = limits_of(workspace)
    form = LimitsForm(
        request.POST or None, initial={name: getattr(known, name) for name in LimitsForm.base_fields}
    )
    if request.method == "POST" and form.is_valid():
        services.set_limits(workspace=workspace, set_by=person(request), **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("health_limits", workspace.pk)
    context = {
        "workspace": workspace,
        "form": form,
        "limits": known,
        "may_change": _may(workspace, Role.MAINTAINER),
    }
    return render(request, "codehealth/limits.html", context, status=422 if form.errors else 200)


@require_safe
@login_required
def measurements(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The piece that shows how far long measurements are."""
    workspace = workspace_for(request.user, workspace_id)
    return render(
        request, "codehealth/_measurements.html", {"workspace": workspace, **_measurements(workspace)}
    )


@require_POST
@login_required
def start(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Measure everything, or the last commits' trees."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MEMBER)
    kind = request.POST.get("kind", "")
    if kind not in ("workspace", "trend"):
        raise Invalid("Measure the workspace or the trend.")
    services.start_measurement(
        workspace=workspace,
        kind=kind,
        requested_by=person(request),
        commits=TREND_COMMITS if kind == "trend" else 0,
    )
    return redirect("workspace_health", workspace.pk)


@require_POST
@login_required
def cancel(request: HttpRequest, workspace_id: int, measurement_id: int) -> HttpResponse:
    """Stop a long measurement."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MEMBER)
    services.cancel_measurement(measurement=selectors.measurement_of(workspace, measurement_id))
    return redirect("workspace_health", workspace.pk)
