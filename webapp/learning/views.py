"""The pages of lessons: the list, one lesson, and what people do with it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.access import person
from webapp.errors import Conflict, Invalid
from webapp.learning import selectors, services
from webapp.learning.access import lesson_for
from webapp.learning.forms import EditLessonForm, LessonForm
from webapp.learning.models import Lesson
from webapp.workspaces.access import includes, workspace_for
from webapp.workspaces.models import Role, Workspace

TABS = {"active": "In use", "pinned": "Pinned", "archived": "Archive", "all": "All"}


def _may_change(workspace: Workspace) -> bool:
    return includes(workspace.role, Role.MEMBER)  # type: ignore[attr-defined]


def _before(request: HttpRequest) -> int | None:
    raw = request.GET.get("before", "")
    if not raw:
        return None
    if not raw.isascii() or not raw.isdigit() or len(raw) > 18:
        raise Invalid("“before” is not a number.")
    return int(raw)


@require_safe
@login_required
def lessons(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """What was learned here, and how agents do; `q` searches, `which` chooses. An open page asks for the body alone."""
    workspace = workspace_for(request.user, workspace_id)
    which, query = request.GET.get("which", "active"), request.GET.get("q", "")[: selectors.QUERY_CHARS]
    before = _before(request)
    page = selectors.lessons_page(workspace, which=which, query=query, before=before)
    context = {
        "workspace": workspace,
        "page": page,
        "which": which,
        "query": query,
        "tabs": TABS.items(),
        "is_first": before is None,
        "agents": selectors.agent_weights(workspace) if before is None else [],
        "cycle": selectors.current_cycle(workspace.pk),
        "may_change": _may_change(workspace),
        "form": LessonForm(),
    }
    is_body = bool(request.headers.get("HX-Request"))
    return render(request, "learning/_body.html" if is_body else "learning/lessons.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Write a lesson."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MEMBER)
    form = LessonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            lesson = services.write_lesson(
                workspace=workspace, written_by=person(request), **form.cleaned_data
            )
        except (Invalid, Conflict) as error:
            form.add_error(error.facts.get("field"), str(error))
        else:
            messages.success(request, "Saved; it is given from the next run on that it fits.")
            return redirect("lesson", workspace.pk, lesson.pk)
    context = {"workspace": workspace, "form": form}
    return render(request, "learning/new.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def lesson(request: HttpRequest, workspace_id: int, lesson_id: int) -> HttpResponse:
    """One lesson, where it was learned and what came of it; members edit it."""
    needed = Role.MEMBER if request.method == "POST" else Role.VIEWER
    found = lesson_for(request.user, workspace_id, lesson_id, role=needed)
    form = EditLessonForm(request.POST or None, lesson=found)
    if request.method == "POST" and form.is_valid():
        try:
            services.edit_lesson(lesson=found, edited_by=person(request), **form.cleaned_data)
        except (Invalid, Conflict) as error:
            form.add_error(error.facts.get("field"), str(error))
            if "seen" in error.facts:
                answers = request.POST.copy()
                answers["seen"] = error.facts["seen"]
                form.data = answers
        else:
            messages.success(request, "Saved.")
            return redirect("lesson", workspace_id, lesson_id)
    return render(request, "learning/lesson.html", _shown(found, form), status=422 if form.errors else 200)


def _shown(found: Lesson, form: LessonForm) -> dict[str, Any]:
    return {
        "workspace": found.workspace,
        "row": selectors.row_of(found, selectors.current_cycle(found.workspace_id)),
        "evidence": selectors.evidence_of(found),
        "uses": selectors.uses_of(found),
        "may_change": _may_change(found.workspace),
        "form": form,
    }


@require_POST
@login_required
def pin(request: HttpRequest, workspace_id: int, lesson_id: int) -> HttpResponse:
    """Pin the lesson, or let it go (`pinned` empty)."""
    found = lesson_for(request.user, workspace_id, lesson_id, role=Role.MEMBER)
    services.pin_lesson(lesson=found, is_pinned=bool(request.POST.get("pinned")))
    return redirect("lesson", workspace_id, lesson_id)


@require_POST
@login_required
def archive(request: HttpRequest, workspace_id: int, lesson_id: int) -> HttpResponse:
    """Put the lesson away."""
    services.archive_lesson(lesson=lesson_for(request.user, workspace_id, lesson_id, role=Role.MEMBER))
    return redirect("lesson", workspace_id, lesson_id)


@require_POST
@login_required
def restore(request: HttpRequest, workspace_id: int, lesson_id: int) -> HttpResponse:
    """Bring the lesson back."""
    services.restore_lesson(lesson=lesson_for(request.user, workspace_id, lesson_id, role=Role.MEMBER))
    return redirect("lesson", workspace_id, lesson_id)


@require_POST
@login_required
def delete(request: HttpRequest, workspace_id: int, lesson_id: int) -> HttpResponse:
    """Delete the lesson."""
    services.delete_lesson(lesson=lesson_for(request.user, workspace_id, lesson_id, role=Role.MEMBER))
    messages.success(request, "Deleted.")
    return redirect("workspace_lessons", workspace_id)
