"""Pages on what a workspace spends, what it may spend, and what models cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.models import User
from webapp.agents import prices, spending
from webapp.agents.forms import PersonLimitForm, PriceForm, SpendLimitForm
from webapp.agents.prices import PriceRow
from webapp.agents.spending import Limits
from webapp.errors import Conflict, Invalid
from webapp.workspaces.access import includes, workspace_for
from webapp.workspaces.models import Membership, Role, Workspace


def _people(workspace: Workspace) -> list[tuple[int, str]]:
    rows = Membership.objects.filter(workspace=workspace).select_related("user")
    return sorted(((row.user_id, str(row.user)) for row in rows), key=lambda one: one[1].lower())


def _person_form(request: HttpRequest, workspace: Workspace) -> PersonLimitForm:
    """Return the form with the limits of the person whom the page was asked for, empty for none."""
    people = _people(workspace)
    chosen = next((one for one, _ in people if str(one) == request.GET.get("person")), None)
    if chosen is None:
        return PersonLimitForm(people=people)
    return PersonLimitForm(
        people=people, initial={"person": chosen, **asdict(spending.limits_of(workspace.pk, chosen))}
    )


def _page(request: HttpRequest, workspace: Workspace, *, status: int = 200, **forms: Any) -> HttpResponse:
    now = timezone.now()
    limits = spending.limits_of(workspace.pk)
    may_change = includes(workspace.role, Role.MAINTAINER)  # type: ignore[attr-defined]
    totals = [
        {
            "name": name,
            "spent": spending.spent(workspace.pk, period, now),
            "limit_usd": getattr(limits, f"{period}_usd"),
            "limit_tokens": getattr(limits, f"{period}_tokens"),
        }
        for period, name in (("day", "Today"), ("month", "This month"))
    ]
    tables = [
        {"title": title, "rows": spending.by(field, workspace.pk, now)}
        for field, title in (
            ("agent", "By agent"),
            ("model", "By model"),
            ("user__display_name", "By person"),
        )
    ]
    context = {
        "workspace": workspace,
        "totals": totals,
        "tables": tables,
        "may_change": may_change,
        "personal": spending.personal_limits(workspace),
        "limits_form": SpendLimitForm(initial=asdict(limits), auto_id="id_all_%s") if may_change else None,
        "person_form": _person_form(request, workspace) if may_change else None,
        **forms,
    }
    return render(request, "agents/spend.html", context, status=status)


@require_safe
@login_required
def spend(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """What the workspace spends, today and this month."""
    return _page(request, workspace_for(request.user, workspace_id))


@require_POST
@login_required
def limits(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Set what may be spent, by all together or by one person."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MAINTAINER)
    is_personal = "person" in request.POST
    people = _people(workspace)
    form = (
        PersonLimitForm(request.POST, people=people)
        if is_personal
        else SpendLimitForm(request.POST, auto_id="id_all_%s")
    )
    if not form.is_valid():
        return _page(
            request, workspace, status=422, **{"person_form" if is_personal else "limits_form": form}
        )
    data = dict(form.cleaned_data)
    person = User.objects.get(pk=data.pop("person")) if is_personal else None
    spending.set_limits(workspace=workspace, limits=Limits(**data), person=person)
    messages.success(request, "Saved. It binds the next model call of every run.")
    return redirect("workspace_spend", workspace_id=workspace.pk)


@require_http_methods(["GET", "POST"])
@login_required
def price_table(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """What models cost: the workspace's own lines and those to begin with."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MAINTAINER)
    table = prices.table(workspace)
    changed = next((row for row in table if row.model == request.GET.get("model")), None)
    form = PriceForm(request.POST or None, initial=asdict(changed) if changed else None)
    if request.method == "POST" and form.is_valid():
        try:
            prices.set_price(workspace=workspace, row=PriceRow(**form.cleaned_data))
        except (Invalid, Conflict) as error:
            field = getattr(error, "field", None)
            form.add_error(field if field in form.fields else None, str(error))
        else:
            messages.success(request, "Saved. Runs that begin from now on count with it.")
            return redirect("workspace_prices", workspace_id=workspace.pk)
    context = {"workspace": workspace, "table": table, "form": form, "changed": changed}
    return render(request, "agents/prices.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def delete_price(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Take a line of the workspace's own away."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MAINTAINER)
    prices.delete_price(workspace=workspace, model=request.POST.get("model", ""))
    messages.success(request, "Deleted.")
    return redirect("workspace_prices", workspace_id=workspace.pk)
