"""What the pages of schedules, webhooks and goals share."""

from __future__ import annotations

from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from webapp.unattended import selectors
from webapp.workspaces.access import includes
from webapp.workspaces.models import Role, Workspace
from workers.errors import PyAgentError

TABS = (("unattended", "Schedules"), ("webhooks", "Webhooks"), ("goals", "Goals"))


def page(
    request: HttpRequest, template: str, workspace: Workspace, *, status: int = 200, **context: Any
) -> HttpResponse:
    """Return a page of unattended work."""
    may_add = includes(workspace.role, Role.MEMBER)  # type: ignore[attr-defined]
    shared = {"workspace": workspace, "tabs": TABS, "may_add": may_add}
    return render(request, f"unattended/{template}.html", shared | context, status=status)


def list_page(request: HttpRequest, workspace: Workspace, tab: str, **context: Any) -> HttpResponse:
    """Return one of the lists, with who did what last."""
    acts = selectors.acts_in(workspace, limit=10)
    return page(request, "list", workspace, tab=tab, acts=acts, **context)


def refuse(form: Form, error: PyAgentError) -> None:
    """Show what a service refused beside the field that it names."""
    field = error.facts.get("field")
    form.add_error(field if field in form.fields else None, str(error))
