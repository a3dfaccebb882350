"""The editor page and the git page; what they do goes through the API."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from webapp.workspaces import access
from webapp.workspaces.models import Role
from webapp.workspaces.repositories import repository_of


@require_safe
@login_required
def files(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The file tree, the editor and the terminal."""
    workspace = access.workspace_for(request.user, workspace_id)
    repository_of(workspace)
    may_edit = access.includes(workspace.role, Role.MEMBER)  # type: ignore[attr-defined]
    return render(request, "editor/files.html", {"workspace": workspace, "may_edit": may_edit})


@require_safe
@login_required
def git(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Changes, branches, remotes and history."""
    workspace = access.workspace_for(request.user, workspace_id)
    repository_of(workspace)
    may = {role: access.includes(workspace.role, role) for role in (Role.MEMBER, Role.MAINTAINER)}  # type: ignore[attr-defined]
    return render(
        request,
        "editor/git.html",
        {"workspace": workspace, "may_edit": may[Role.MEMBER], "may_push": may[Role.MAINTAINER]},
    )
