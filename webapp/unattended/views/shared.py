"""What the pages of schedules, webhooks and goals share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from webapp.unattended import selectors
from webapp.unattended.forms import CallingForm
from webapp.unattended.models import Calling
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


def edit_page(
    request: HttpRequest,
    form: CallingForm,
    workspace: Workspace,
    *,
    tab: str,
    title: str,
    save: Callable[[], Calling],
    item: Calling | None = None,
    said: str = "is saved",
) -> HttpResponse:
    """Save what a valid form says and lead to its page; else return the page of the form, with what a service refused.

    Where somebody else has changed the item meanwhile, the form keeps what was typed and shows what stands now.
    """
    stands: list[tuple[str, str]] = []
    if request.method == "POST" and form.is_valid():
        try:
            saved = save()
        except PyAgentError as error:
            refuse(form, error)
            stands = form.take_up() if "seen" in error.facts else []
        else:
            messages.success(request, f"“{saved.name}” {said}.")
            return redirect(saved.kind, workspace.pk, saved.pk)
    status = 422 if form.errors else 200
    context = {"form": form, "item": item, "title": title, "tab": tab, "stands": stands}
    return page(request, "form", workspace, status=status, **context)


def title_of(item: Calling | None, new: str) -> str:
    """Return the title of a form that changes an item, or makes a new one."""
    return f"Change “{item.name}”" if item else new
