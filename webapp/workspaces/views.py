"""Pages about workspaces: the start page, creating one, its members and settings."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import get_valid_filename
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.access import person
from webapp.accounts.models import User
from webapp.accounts.services import create_invitation
from webapp.accounts.showing import keep_to_show, take_to_show
from webapp.errors import Conflict, Invalid
from webapp.workspaces import access, preparing, selectors, services
from webapp.workspaces.forms import InviteForm, NewWorkspaceForm, WorkspaceForm
from webapp.workspaces.models import Role, Workspace
from webapp.workspaces.preparing import Source, url_source


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The person's workspaces."""
    workspaces = list(selectors.with_member_counts(selectors.workspaces_of(person(request))))
    return render(request, "workspaces/home.html", {"workspaces": workspaces})


@require_http_methods(["GET", "POST"])
@login_required
def new_workspace(request: HttpRequest) -> HttpResponse:
    """Create a workspace."""
    form = NewWorkspaceForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            source = _source_from(form)
            workspace = services.create_workspace(
                name=form.cleaned_data["name"],
                description=form.cleaned_data["description"],
                owner=person(request),
                source=source,
            )
        except Invalid as error:
            form.add_error(getattr(error, "field", None), str(error))
        else:
            return redirect("workspace", workspace.pk)
    return render(request, "workspaces/new.html", {"form": form}, status=422 if form.errors else 200)


def _source_from(form: NewWorkspaceForm) -> Source:
    if upload := form.cleaned_data.get("archive"):
        return services.archive_source(keep_upload(upload), upload.name or "archive")
    said = form.cleaned_data
    return url_source(said["url"], username=said["username"], token=said["token"])


def keep_upload(upload: UploadedFile) -> Path:
    """Return a file of our own with the upload's bytes and name, in a folder of its own; `preparing` removes both."""
    folder = Path(tempfile.mkdtemp(dir=Path(settings.PYAGENT_HOME) / "uploads", prefix="archive-"))
    path = folder / get_valid_filename(Path(upload.name or "archive").name)[-120:]
    with path.open("wb") as copy:
        for chunk in upload.chunks():
            copy.write(chunk)
    return path


@require_safe
@login_required
def workspace(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Lead to the first channel once the workspace is ready; until then show how far it is."""
    found = access.workspace_for(request.user, workspace_id)
    if found.state != Workspace.State.READY:
        may_stop = found.state == Workspace.State.PREPARING and access.includes(found.role, Role.MAINTAINER)  # type: ignore[attr-defined]
        return render(request, "workspaces/preparing.html", {"workspace": found, "may_stop": may_stop})
    return redirect("workspace_channels", found.pk)


@require_safe
@login_required
def workspace_state(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The piece of the preparing page that is fetched again and again."""
    found = access.workspace_for(request.user, workspace_id)
    response = render(request, "workspaces/_state.html", {"workspace": found})
    if found.state != Workspace.State.PREPARING:
        response["HX-Redirect"] = reverse("workspace", args=[found.pk])
    return response


@require_POST
@login_required
def stop_preparing(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Give the import up; the page says so, or leads on when the workspace was ready first."""
    found = access.workspace_for(request.user, workspace_id, role=Role.MAINTAINER)
    with suppress(Conflict):
        preparing.stop(found, stopped_by=person(request))
    return redirect("workspace", found.pk)


@require_safe
@login_required
def members(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Who is in the workspace."""
    found = access.workspace_for(request.user, workspace_id)
    is_owner = access.includes(found.role, Role.OWNER)  # type: ignore[attr-defined]
    context = {
        "workspace": found,
        "members": selectors.members_of(found),
        "invitations": selectors.open_invitations(found) if is_owner else [],
        "roles": Role.choices,
        "is_owner": is_owner,
        "is_only_owner": selectors.is_only_owner(found, person(request)),
        "invite_form": InviteForm(),
        "invitation_url": take_to_show(request, "invitation_url"),
    }
    return render(request, "workspaces/members.html", context)


@require_POST
@login_required
def invite(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Add who has an account; make a link for everybody else."""
    found = access.workspace_for(request.user, workspace_id, role=Role.OWNER)
    form = InviteForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Check the address and the role.")
        return redirect("workspace_members", found.pk)
    email, role = form.cleaned_data["email"].lower(), form.cleaned_data["role"]
    found_person = User.objects.filter(email=email, is_active=True).first() if email else None
    if found_person is not None:
        services.add_member(workspace=found, user=found_person, role=role)
        messages.success(request, f"{found_person.display_name} is in.")
    else:
        _, token = create_invitation(invited_by=person(request), workspace=found, role=role, email=email)
        url = request.build_absolute_uri(reverse("invitation", args=[token]))
        keep_to_show(request, "invitation_url", url)
    return redirect("workspace_members", found.pk)


@require_POST
@login_required
def revoke_invitation(request: HttpRequest, workspace_id: int, invitation_id: int) -> HttpResponse:
    """Make an invitation link useless."""
    found = access.workspace_for(request.user, workspace_id, role=Role.OWNER)
    found.invitations.filter(pk=invitation_id, used_at=None).delete()
    return redirect("workspace_members", found.pk)


@require_POST
@login_required
def change_member(request: HttpRequest, workspace_id: int, user_id: int) -> HttpResponse:
    """Give a member another role, or take them out. Anybody may leave by themselves."""
    is_leaving = request.POST.get("action") == "remove" and user_id == request.user.pk
    found = access.workspace_for(request.user, workspace_id, role=Role.VIEWER if is_leaving else Role.OWNER)
    if request.POST.get("action") == "remove":
        services.remove_member(workspace=found, user_id=user_id)
        return redirect("home" if is_leaving else reverse("workspace_members", args=[found.pk]))
    services.set_role(workspace=found, user_id=user_id, role=request.POST.get("role", ""))
    return redirect("workspace_members", found.pk)


@require_http_methods(["GET", "POST"])
@login_required
def workspace_settings(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Name, description, deletion."""
    found = access.workspace_for(
        request.user, workspace_id, role=Role.VIEWER if request.method == "GET" else Role.MAINTAINER
    )
    form = WorkspaceForm(request.POST or None, initial={"name": found.name, "description": found.description})
    if request.method == "POST" and form.is_valid():
        services.update_workspace(workspace=found, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("workspace_settings", found.pk)
    context = {
        "workspace": found,
        "form": form,
        "may_change": access.includes(found.role, Role.MAINTAINER),  # type: ignore[attr-defined]
        "may_delete": access.includes(found.role, Role.OWNER),  # type: ignore[attr-defined]
    }
    return render(request, "workspaces/settings.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def delete_workspace(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Delete the workspace for good."""
    found = access.workspace_for(request.user, workspace_id, role=Role.OWNER)
    services.delete_workspace(workspace=found, confirmation=request.POST.get("confirmation", ""))
    messages.success(request, f"{found.name} is deleted.")
    return redirect("home")
