"""Remarks: writing, answering, settling, and sending them to the agent."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from webapp.errors import Invalid, NotFound
from webapp.reviews import services
from webapp.reviews.access import DECIDE, change_set_for, comment_for
from webapp.reviews.models import ReviewComment
from webapp.reviews.presenting import context_of, updates
from webapp.reviews.resolved import resolve_change_set
from webapp.reviews.selectors import load_review
from webapp.reviews.views.pages import number_in, person


@require_safe
@login_required
def form(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """The form for a remark on `line` of `file`, or on the whole."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    review = load_review(change_set)
    file_id = request.GET.get("file", "")
    context = {
        **context_of(review),
        "file": review.resolved.file(file_id) if file_id else None,
        "line": number_in(request, "line"),
        "side": "old" if request.GET.get("side") == "old" else "new",
        "kinds": ReviewComment.Kind.choices,
    }
    return render(request, "reviews/_comment_form.html", context)


@require_POST
@login_required
def comment(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """Write a remark."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    file_id, raw_line = request.POST.get("file", ""), request.POST.get("line", "")
    if raw_line and not (raw_line.isascii() and raw_line.isdigit() and len(raw_line) < 10):
        raise Invalid("The line is not a number.")
    path = resolve_change_set(change_set).file(file_id).path if file_id else ""
    row = services.comment(
        change_set=change_set,
        author=person(request),
        text=request.POST.get("text", ""),
        kind=request.POST.get("kind", ReviewComment.Kind.NOTE),
        path=path,
        line=int(raw_line) if raw_line else None,
        side=request.POST.get("side", "new"),
    )
    return updates(request, change_set, hunk_keys=_keys(row))


def _keys(row: ReviewComment) -> list[str]:
    """Return the key of the hunk that the remark stands on, when the newest revision still has it."""
    if not row.hunk_key:
        return []
    try:
        resolve_change_set(row.change_set).find(row.hunk_key)
    except NotFound:
        return []
    return [row.hunk_key]


@require_POST
@login_required
def reply(request: HttpRequest, workspace_id: int, change_set_id: int, comment_id: int) -> HttpResponse:
    """Answer a remark."""
    thread = comment_for(request.user, workspace_id, change_set_id, comment_id)
    services.comment(
        change_set=thread.change_set,
        author=person(request),
        text=request.POST.get("text", ""),
        parent=thread,
    )
    return updates(request, thread.change_set, hunk_keys=_keys(thread))


@require_POST
@login_required
def resolve(request: HttpRequest, workspace_id: int, change_set_id: int, comment_id: int) -> HttpResponse:
    """Settle a remark, or open it again."""
    thread = comment_for(request.user, workspace_id, change_set_id, comment_id)
    is_resolved = request.POST.get("resolved") != "no"
    services.resolve_comment(comment=thread, resolved_by=person(request), is_resolved=is_resolved)
    return updates(request, thread.change_set, hunk_keys=_keys(thread))


@require_POST
@login_required
def ask_review(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """Have @reviewer read the newest revision."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    services.ask_review(change_set=change_set, asked_by=person(request))
    return updates(request, change_set, notice="@reviewer is reading; its comments appear here.")


@require_POST
@login_required
def send(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """Hand all open remarks to the agent."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    services.send_comments(change_set=change_set, sent_by=person(request))
    messages.success(request, f"@{change_set.agent} is answering; its next revision appears here.")
    response = HttpResponse()
    response["HX-Refresh"] = "true"
    return response
