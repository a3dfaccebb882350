"""The list, the review, and the pieces that are fetched when they are seen."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from webapp.accounts.models import User
from webapp.codehealth.selectors import audit_of
from webapp.errors import Invalid
from webapp.reviews import selectors, services
from webapp.reviews.access import change_set_for
from webapp.reviews.presenting import context_of, file_view, file_views
from webapp.reviews.rows import rows_html
from webapp.reviews.services.evidence import suggested_command
from webapp.workspaces.access import workspace_for

MAX_NUMBER = 2**31 - 1


def person(request: HttpRequest) -> User:
    """Return who asks; views here are for people who are signed in."""
    return cast(User, request.user)


def number_in(request: HttpRequest, name: str) -> int | None:
    """Return a whole number of the query, None when it is not there.

    Raises:
        Invalid: it is no number, or far too large.
    """
    raw = request.GET.get(name)
    if not raw:
        return None
    if not raw.isascii() or not raw.isdigit() or int(raw) > MAX_NUMBER:
        raise Invalid(f"“{name}” is not a number.")
    return int(raw)


def _listed(request: HttpRequest, workspace_id: int) -> dict[str, Any]:
    workspace = workspace_for(request.user, workspace_id)
    which = request.GET.get("which", "open")
    page = selectors.list_reviews(workspace, which=which, before=number_in(request, "before"))
    return {
        "workspace": workspace,
        "which": which,
        "rows": rows_html(page, workspace_id=workspace.pk, which=which),
    }


@require_safe
@login_required
def reviews(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The list of reviews, newest first."""
    context = _listed(request, workspace_id)
    counted = selectors.counts(context["workspace"])
    return render(
        request, "reviews/reviews.html", {**context, "filters": selectors.FILTERS, "counts": counted}
    )


@require_safe
@login_required
def rows(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """More rows of the list."""
    return HttpResponse(_listed(request, workspace_id)["rows"])


@require_safe
@login_required
def review(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """One review. `rev` shows an older revision, `since` compares with one; without it, with what the person saw last."""
    change_set = change_set_for(request.user, workspace_id, change_set_id)
    number, since = number_in(request, "rev"), number_in(request, "since")
    if number is None and since is None:
        since = _seen_before(request, change_set_id, workspace_id)
    shown = selectors.load_review(change_set, number=number, since=since)
    return render(
        request,
        "reviews/review.html",
        {
            **context_of(shown),
            "files": file_views(shown),
            "audit": audit_of(change_set.workspace, change_set.reverted_commit or change_set.landed_commit),
            "suggested_command": suggested_command(shown.revision),
        },
    )


def _seen_before(request: HttpRequest, change_set_id: int, workspace_id: int) -> int | None:
    """Return the revision that the person looked at last when there is a newer one by now, and note that they see it."""
    change_set = change_set_for(request.user, workspace_id, change_set_id)
    newest = change_set.revisions.order_by("-number").values_list("number", flat=True).first()
    if newest is None:
        return None
    before = services.mark_seen(change_set=change_set, user=person(request), number=newest)
    return before if before is not None and before < newest else None


@require_safe
@login_required
def header(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """The header and the panels beside the hunks."""
    change_set = change_set_for(request.user, workspace_id, change_set_id)
    return render(request, "reviews/_updates.html", context_of(selectors.load_review(change_set)))


@require_safe
@login_required
def file(request: HttpRequest, workspace_id: int, change_set_id: int, file_id: str) -> HttpResponse:
    """The hunks of one file."""
    change_set = change_set_for(request.user, workspace_id, change_set_id)
    shown = selectors.load_review(
        change_set, number=number_in(request, "rev"), since=number_in(request, "since")
    )
    view = file_view(shown, shown.resolved.file(file_id))
    return render(request, "reviews/_file_body.html", {**context_of(shown), "file": view})


@require_safe
@login_required
def health(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """Each function that a revision changes, before and after, and the limits that it would break."""
    change_set = change_set_for(request.user, workspace_id, change_set_id)
    found = selectors.health_of_revision(change_set, number=number_in(request, "rev"))
    return render(request, "reviews/_health.html", {"workspace": change_set.workspace, "health": found})
