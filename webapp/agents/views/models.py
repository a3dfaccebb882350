"""Pages on which a person, a workspace or the installation chooses models."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.access import owns_installation
from webapp.agents import access, budgets, checks, choosing, embedded, services
from webapp.agents.access import ProfileOwner
from webapp.agents.forms import BudgetForm, ProfileForm
from webapp.agents.models import ModelProfile
from webapp.agents.plain import sentence
from webapp.agents.services.profiles import ProfileFields
from webapp.errors import Conflict, Invalid
from workers.errors import PyAgentError
from workers.queue import Budget

HEADINGS: Final = {
    "person": ("Your models", "Agents that you call run on your default model, wherever you call them."),
    "workspace": (
        "Models of this workspace",
        "Used by agents here when a person has no default model of their own.",
    ),
    "installation": ("Models for everybody", "Used where neither a person nor a workspace has chosen."),
}
NAMES: Final = {"person": "my_models", "workspace": "workspace_models", "installation": "installation_models"}


def _owner(request: HttpRequest, kind: str, workspace_id: int | None) -> ProfileOwner:
    if kind == "workspace" and workspace_id is not None:
        return access.workspace_profiles(request.user, workspace_id)
    if kind == "installation":
        return access.installation_profiles(request.user)
    return access.own_profiles(request.user)


def _address(owner: ProfileOwner, suffix: str = "", *args: Any) -> str:
    place = [owner.workspace.pk] if owner.workspace else []
    return reverse(NAMES[owner.kind] + suffix, args=[*place, *args])


def _is_owner(request: HttpRequest) -> bool:
    return owns_installation(request.user)


def _page(request: HttpRequest, owner: ProfileOwner, *, status: int = 200, **extra: Any) -> HttpResponse:
    title, note = HEADINGS[owner.kind]
    profiles: list[dict[str, Any]] = [
        {
            "profile": profile,
            "edit": _address(owner, "_edit", profile.pk),
            "delete": _address(owner, "_delete", profile.pk),
            "default": _address(owner, "_default", profile.pk),
            "test": _address(owner, "_test", profile.pk),
        }
        for profile in ModelProfile.objects.filter(**owner.filter)
    ]
    context = {
        "title": title,
        "note": note,
        "kind": owner.kind,
        "workspace": owner.workspace,
        "profiles": profiles,
        "add_url": _address(owner, "_add"),
        "embedded": embedded.state(),
        "embedded_test": _address(owner, "_test_embedded"),
        "embedded_url": _address(owner, "_embedded"),
        "has_default": any(item["profile"].is_default for item in profiles),
        "in_use": choosing.label_of(choosing.default_profile(owner.user, owner.workspace))
        if owner.workspace
        else "",
        "budget_form": BudgetForm(initial=asdict(budgets.default_budget(owner.workspace)))
        if owner.workspace
        else None,
        **extra,
    }
    return render(request, "agents/models.html", context, status=status)


@require_safe
@login_required
def profiles(request: HttpRequest, kind: str, workspace_id: int | None = None) -> HttpResponse:
    """The owner's models, with the state of the embedded one."""
    return _page(request, _owner(request, kind, workspace_id))


@require_safe
@login_required
def embedded_state(request: HttpRequest, kind: str, workspace_id: int | None = None) -> HttpResponse:
    """How far the embedded model is; the page asks again until it is ready."""
    owner = _owner(request, kind, workspace_id)
    context = {"embedded": embedded.state(), "embedded_url": _address(owner, "_embedded")}
    return render(request, "agents/_embedded_state.html", context)


@sensitive_post_parameters("key")
@require_http_methods(["GET", "POST"])
@login_required
def edit(
    request: HttpRequest, kind: str, workspace_id: int | None = None, profile_id: int | None = None
) -> HttpResponse:
    """Add or change a model."""
    owner = _owner(request, kind, workspace_id)
    profile = access.profile_for(owner, profile_id) if profile_id is not None else None
    form = ProfileForm(request.POST or None, profile=profile)
    if request.method == "POST" and form.is_valid():
        try:
            fields: ProfileFields = form.to_fields()
            saved = services.save_profile(
                owner=owner, fields=fields, is_installation_owner=_is_owner(request), profile=profile
            )
        except (Invalid, Conflict) as error:
            field = getattr(error, "field", None)
            form.add_error(field if field in form.fields else None, str(error))
        else:
            messages.success(request, f"“{saved.name}” is saved. Test it to see whether it answers.")
            return redirect(_address(owner))
    context = {
        "form": form,
        "profile": profile,
        "workspace": owner.workspace,
        "title": f"Change “{profile.name}”" if profile else "Add a model",
        "back": _address(owner),
    }
    return render(request, "agents/model_form.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def delete(request: HttpRequest, kind: str, profile_id: int, workspace_id: int | None = None) -> HttpResponse:
    """Forget a model and its key."""
    owner = _owner(request, kind, workspace_id)
    profile = access.profile_for(owner, profile_id)
    services.delete_profile(profile=profile)
    messages.success(request, f"“{profile.name}” and its key are deleted.")
    return redirect(_address(owner))


@require_POST
@login_required
def default(
    request: HttpRequest, kind: str, profile_id: int, workspace_id: int | None = None
) -> HttpResponse:
    """Make a model the default, or no longer."""
    owner = _owner(request, kind, workspace_id)
    profile = access.profile_for(owner, profile_id)
    services.make_default(owner=owner, profile=None if profile.is_default else profile)
    return redirect(_address(owner))


@require_POST
@login_required
def budget(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Set where the workspace's runs stop."""
    owner = access.workspace_profiles(request.user, workspace_id)
    form = BudgetForm(request.POST)
    if not form.is_valid() or owner.workspace is None:
        return _page(request, owner, status=422, budget_form=form)
    budgets.set_default_budget(workspace=owner.workspace, budget=Budget(**form.cleaned_data))
    messages.success(request, "Saved. Runs that are called from now on stop there.")
    return redirect(_address(owner))


@require_POST
@login_required
def test(
    request: HttpRequest, kind: str, profile_id: int | None = None, workspace_id: int | None = None
) -> HttpResponse:
    """Ask the model one short thing and show what came back, or why nothing did."""
    owner = _owner(request, kind, workspace_id)
    profile = (
        access.profile_for(owner, profile_id)
        if profile_id is not None
        else ModelProfile(provider=ModelProfile.Provider.EMBEDDED)
    )
    try:
        result = {
            "is_good": True,
            "text": checks.check_profile(profile=profile, is_installation_owner=_is_owner(request)),
        }
    except PyAgentError as error:
        result = {
            "is_good": False,
            "text": sentence(str(error)),
            "code": error.code,
            "is_retryable": error.retryable,
        }
    if request.headers.get("HX-Request"):
        return render(request, "agents/_test_result.html", {"result": result})
    return _page(request, owner, result=result, tested=profile)
