"""What moves files or runs commands: apply, revert, discard, reopen, evidence."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from webapp.errors import Conflict, Invalid
from webapp.reviews import services
from webapp.reviews.access import DECIDE, LAND, change_set_for, evidence_for
from webapp.reviews.models import ChangeSet
from webapp.reviews.presenting import updates
from webapp.reviews.views.pages import person
from workers.changes.errors import LandingConflict


def _shown(request: HttpRequest, change_set: ChangeSet) -> HttpResponse:
    """Return the review's page afresh, by whichever way it was asked for."""
    if not request.headers.get("HX-Request"):
        return redirect("review", change_set.workspace_id, change_set.pk)
    response = HttpResponse()
    response["HX-Refresh"] = "true"
    return response


@require_POST
@login_required
def apply(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """Land what is accepted, when it is what the person saw."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=LAND)
    diff_hash = request.POST.get("diff_hash", "")
    if not diff_hash:
        raise Invalid("Say which diff you saw.")
    try:
        landed = services.apply(
            change_set=change_set,
            applied_by=person(request),
            diff_hash=diff_hash,
            selection=request.POST.get("selection") or None,
        )
    except (Conflict, LandingConflict) as conflict:
        # The page shows what is there now, with the reason above it.
        messages.warning(request, _reason(conflict))
        return _shown(request, change_set)
    messages.success(request, f"Landed as {landed.landed_commit[:10]}.")
    return _shown(request, change_set)


def _reason(conflict: Conflict | LandingConflict) -> str:
    paths = [str(path) for path in conflict.facts.get("paths", [])]
    return f"{conflict} ({', '.join(paths[:10])}{'…' if len(paths) > 10 else ''})" if paths else str(conflict)


@require_POST
@login_required
def revert(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """Take a landed change set out again by a commit."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=LAND)
    try:
        done = services.revert(change_set=change_set, reverted_by=person(request))
    except (Conflict, LandingConflict) as conflict:
        messages.warning(request, _reason(conflict))
        return _shown(request, change_set)
    messages.success(request, f"Taken out again by {done.reverted_commit[:10]}.")
    return _shown(request, change_set)


@require_POST
@login_required
def discard(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """Put the change set away."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    services.discard(change_set=change_set, discarded_by=person(request))
    return _shown(request, change_set)


@require_POST
@login_required
def reopen(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """Take a discarded or reverted change set up again."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    services.reopen(change_set=change_set, reopened_by=person(request))
    return _shown(request, change_set)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def evidence(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """The commands that were run; or run one, on the accepted hunks or (`whole`) on the revision."""
    if request.method != "POST":
        return updates(request, change_set_for(request.user, workspace_id, change_set_id))
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    services.run_tests_on_accepted(
        change_set=change_set,
        requested_by=person(request),
        command=request.POST.get("command", ""),
        is_whole=request.POST.get("on") == "whole",
    )
    return updates(request, change_set)


@require_POST
@login_required
def cancel_evidence(
    request: HttpRequest, workspace_id: int, change_set_id: int, evidence_id: int
) -> HttpResponse:
    """Stop a command."""
    row = evidence_for(request.user, workspace_id, change_set_id, evidence_id, role=DECIDE)
    services.cancel_evidence(evidence=row)
    return updates(request, row.reviewed.change_set, notice="The command is being stopped.")
