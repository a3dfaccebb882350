"""One hunk: see it, decide about it, edit it, split it; and the same for a file or all at once."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from webapp.errors import Invalid
from webapp.reviews import services
from webapp.reviews.access import DECIDE, change_set_for, hunk_for
from webapp.reviews.models import Decision
from webapp.reviews.presenting import context_of, hunk_view, review_for, updates
from webapp.reviews.resolved import resolve_change_set
from webapp.reviews.selectors import load_review
from webapp.reviews.services.deciding import EDIT_LINES
from webapp.reviews.showing import lines_to_edit, old_side
from webapp.reviews.views.pages import number_in, person

Verdict = Decision.Verdict


@require_safe
@login_required
def hunk(request: HttpRequest, workspace_id: int, change_set_id: int, key: str) -> HttpResponse:
    """One hunk as it stands; `whole` shows all its lines."""
    change_set = change_set_for(request.user, workspace_id, change_set_id)
    review = review_for(request, change_set, number=number_in(request, "rev"))
    file, state = review.resolved.file_and_hunk(key)
    view = hunk_view(review, file, state, is_whole="whole" in request.GET)
    return render(request, "reviews/_hunk.html", {**context_of(review), "hunk": view})


@require_POST
@login_required
def decide(request: HttpRequest, workspace_id: int, change_set_id: int, key: str) -> HttpResponse:
    """Accept, reject, edit or split; `seen` is the decision that the person saw."""
    change_set, state = hunk_for(request.user, workspace_id, change_set_id, key, role=DECIDE)
    verdict = request.POST.get("verdict", "")
    after = services.decide_hunk(
        change_set=change_set,
        hunk_key=key,
        verdict=verdict,
        decided_by=person(request),
        edited_new_lines=_edited(request, verdict),
        split_after=_cuts(request, verdict),
        reason=request.POST.get("reason", ""),
        seen=_seen(request),
    )
    if verdict == Verdict.SPLIT:
        return updates(
            request, change_set, file_ids=[resolve_change_set(change_set).file_and_hunk(after.key)[0].id]
        )
    return updates(request, change_set, hunk_keys=[state.key])


def _seen(request: HttpRequest) -> int | None:
    raw = request.POST.get("seen", "")
    return int(raw) if raw.isascii() and raw.isdigit() else None


def _edited(request: HttpRequest, verdict: str) -> list[str] | None:
    if verdict != Verdict.EDITED:
        return None
    # A browser sends line breaks as CR LF; lines of a file with CR LF get theirs back when they land.
    text = request.POST.get("text", "").replace("\r\n", "\n")
    if text.count("\n") > EDIT_LINES:
        raise Invalid(f"An edit holds at most {EDIT_LINES:,} lines.")
    return text.split("\n") if text else []


def _cuts(request: HttpRequest, verdict: str) -> list[int] | None:
    if verdict != Verdict.SPLIT:
        return None
    cuts = request.POST.getlist("after")
    if not all(cut.isascii() and cut.isdigit() and len(cut) < 8 for cut in cuts):
        raise Invalid("The places to cut are line numbers of the hunk.")
    return [int(cut) for cut in cuts]


@require_safe
@login_required
def edit(request: HttpRequest, workspace_id: int, change_set_id: int, key: str) -> HttpResponse:
    """The hunk in an editor."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    review = load_review(change_set)
    file, state = review.resolved.file_and_hunk(key)
    if state.hunk.kind != "text":
        raise Invalid("This change has no text to edit; accept or reject it.")
    view = hunk_view(review, file, state)
    return render(
        request,
        "reviews/_hunk_edit.html",
        {
            **context_of(review),
            "hunk": view,
            "text": "\n".join(lines_to_edit(state)),
            "before": "\n".join(line.removesuffix("\r") for line in old_side(state.hunk)),
        },
    )


@require_safe
@login_required
def split(request: HttpRequest, workspace_id: int, change_set_id: int, key: str) -> HttpResponse:
    """The hunk with a place to cut after each line."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    review = load_review(change_set)
    file, state = review.resolved.file_and_hunk(key)
    if state.hunk.kind != "text" or len(state.hunk.lines) < 2:
        raise Invalid("This change cannot be split.")
    return render(
        request,
        "reviews/_hunk_split.html",
        {**context_of(review), "hunk": hunk_view(review, file, state), "lines": state.hunk.lines},
    )


@require_POST
@login_required
def decide_file(request: HttpRequest, workspace_id: int, change_set_id: int, file_id: str) -> HttpResponse:
    """Decide about a whole file."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    file = resolve_change_set(change_set).file(file_id)
    services.decide_file(
        change_set=change_set,
        path=file.path,
        verdict=request.POST.get("verdict", ""),
        decided_by=person(request),
    )
    return updates(request, change_set, file_ids=[file.id])


@require_POST
@login_required
def decide_all(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """Decide about everything at once; the page loads itself afresh."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    services.decide_file(
        change_set=change_set,
        path=None,
        verdict=request.POST.get("verdict", ""),
        decided_by=person(request),
    )
    return _afresh()


def _afresh() -> HttpResponse:
    response = HttpResponse(status=200)
    response["HX-Refresh"] = "true"
    return response


@require_POST
@login_required
def undo(request: HttpRequest, workspace_id: int, change_set_id: int) -> HttpResponse:
    """Take back the newest decision on `hunk`, or the person's own newest act."""
    change_set = change_set_for(request.user, workspace_id, change_set_id, role=DECIDE)
    before = {hunk.key: file.id for file in resolve_change_set(change_set).files for hunk in file.hunks}
    keys = services.undo_decision(
        change_set=change_set,
        undone_by=person(request),
        hunk_key=request.POST.get("hunk") or None,
    )
    after = {hunk.key: file.id for file in resolve_change_set(change_set).files for hunk in file.hunks}
    if before.keys() == after.keys():
        return updates(request, change_set, hunk_keys=[key for key in keys if key in after][:200])
    touched = {(before | after)[key] for key in before.keys() ^ after.keys()}
    return updates(request, change_set, file_ids=touched)
