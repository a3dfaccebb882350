"""Reviews over REST: everything that the pages do."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Path, Query, Router, Status

from webapp.accounts.access import require_scope
from webapp.accounts.models import User
from webapp.api import ErrorReply
from webapp.reviews import access, schemas, selectors, services
from webapp.reviews.models import ChangeSet
from webapp.workspaces.access import workspace_for
from workers.changes.paths import from_portable

router = Router(tags=["reviews"])
# 413 and 504: git reads the diffs, and neither its output nor its time is without bounds.
ERRORS: dict[Any, Any] = {code: ErrorReply for code in (401, 403, 404, 413, 422, 504)}
CHANGING: dict[Any, Any] = {**ERRORS, 409: ErrorReply, 503: ErrorReply}
LANDING: dict[Any, Any] = {**CHANGING, 502: ErrorReply, 507: ErrorReply}
BIGGEST_ID = 2**63 - 1
ONE = "/{workspace_id}/reviews/{change_set_id}"
# Ids are bounded, so that no database is asked for a number that it cannot hold.
Id: Any = Path(..., ge=1, le=BIGGEST_ID)
Key: Any = Path(..., pattern=schemas.KEY)
Which = Literal["open", "landed", "discarded", "reverted", "all"]


def _readable(request: HttpRequest, workspace_id: int, change_set_id: int) -> ChangeSet:
    return access.change_set_for(require_scope(request, "read"), workspace_id, change_set_id)


def _decidable(request: HttpRequest, workspace_id: int, change_set_id: int) -> tuple[ChangeSet, User]:
    user = require_scope(request, "review")
    return access.change_set_for(user, workspace_id, change_set_id, role=access.DECIDE), user


def _landable(request: HttpRequest, workspace_id: int, change_set_id: int) -> tuple[ChangeSet, User]:
    user = require_scope(request, "apply")
    return access.change_set_for(user, workspace_id, change_set_id, role=access.LAND), user


def _whole(change_set: ChangeSet) -> dict[str, Any]:
    """Return the change set afresh, as it is after what was done."""
    fresh = ChangeSet.objects.select_related("run", "landed_by", "workspace").get(pk=change_set.pk)
    return schemas.whole(selectors.load_review(fresh))


@router.get("/{workspace_id}/reviews", response={200: schemas.ReviewPage, **ERRORS}, summary="List reviews")
def list_reviews(
    request: HttpRequest,
    workspace_id: int = Id,
    which: Which = "open",
    before: int | None = Query(None, ge=1, le=BIGGEST_ID),
    limit: int = Query(50, ge=1, le=100),
) -> Any:
    """Return change sets, newest first."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    page = selectors.list_reviews(workspace, which=which, before=before, limit=limit)
    return {"reviews": [schemas.list_row(one) for one in page.reviews], "next_before": page.next_before}


@router.get(ONE, response={200: schemas.ReviewOut, **ERRORS}, summary="Read a review")
def read_review(
    request: HttpRequest,
    workspace_id: int = Id,
    change_set_id: int = Id,
    revision: int | None = Query(None, ge=1, le=2**31 - 1),
    since: int | None = Query(None, ge=1, le=2**31 - 1, description="Compare with this revision."),
) -> Any:
    """Return a change set with files, hunks, decisions, comments and evidence; lines of a hunk are read one hunk at a time."""
    change_set = _readable(request, workspace_id, change_set_id)
    return schemas.whole(selectors.load_review(change_set, number=revision, since=since))


@router.get(f"{ONE}/hunks/{{key}}", response={200: schemas.HunkDetail, **ERRORS}, summary="Read a hunk")
def read_hunk(request: HttpRequest, workspace_id: int = Id, change_set_id: int = Id, key: str = Key) -> Any:
    """Return a hunk of the newest revision with its lines."""
    change_set = _readable(request, workspace_id, change_set_id)
    return schemas.hunk_detail(selectors.load_review(change_set), key)


@router.get(f"{ONE}/health", response={200: schemas.HealthOut, **LANDING}, summary="Compare functions")
def read_health(
    request: HttpRequest,
    workspace_id: int = Id,
    change_set_id: int = Id,
    revision: int | None = Query(None, ge=1, le=2**31 - 1),
) -> Any:
    """Return each function that a revision changes, before and after, and the limits that it would break as a whole."""
    change_set = _readable(request, workspace_id, change_set_id)
    return schemas.health(selectors.health_of_revision(change_set, number=revision))


@router.post(
    f"{ONE}/hunks/{{key}}/decision",
    response={200: schemas.ReviewOut, **CHANGING},
    summary="Decide about a hunk",
)
def decide_hunk(
    request: HttpRequest,
    decision: schemas.DecisionIn,
    workspace_id: int = Id,
    change_set_id: int = Id,
    key: str = Key,
) -> Any:
    """Accept, reject, edit or split a hunk. The same decision twice is one."""
    change_set, user = _decidable(request, workspace_id, change_set_id)
    services.decide_hunk(change_set=change_set, hunk_key=key, decided_by=user, **decision.dict())
    return _whole(change_set)


@router.post(f"{ONE}/decision", response={200: schemas.Decided, **CHANGING}, summary="Decide about a file")
def decide_file(
    request: HttpRequest, decision: schemas.FileDecisionIn, workspace_id: int = Id, change_set_id: int = Id
) -> Any:
    """Give all hunks of a file, or of the whole revision, the same verdict; undone as one."""
    change_set, user = _decidable(request, workspace_id, change_set_id)
    path = None if decision.path is None else from_portable(decision.path)
    count = services.decide_file(
        change_set=change_set, path=path, verdict=decision.verdict, decided_by=user, reason=decision.reason
    )
    return {"count": count}


@router.post(f"{ONE}/undo", response={200: schemas.Undone, **CHANGING}, summary="Undo a decision")
def undo(request: HttpRequest, which: schemas.UndoIn, workspace_id: int = Id, change_set_id: int = Id) -> Any:
    """Take back the newest decision on a hunk, or your own newest act."""
    change_set, user = _decidable(request, workspace_id, change_set_id)
    return {
        "hunk_keys": services.undo_decision(change_set=change_set, undone_by=user, hunk_key=which.hunk_key)
    }


@router.post(f"{ONE}/comments", response={201: schemas.CommentOut, **CHANGING}, summary="Comment")
def comment(
    request: HttpRequest, remark: schemas.CommentIn, workspace_id: int = Id, change_set_id: int = Id
) -> Any:
    """Write a remark on a line, a file, the whole, or another remark."""
    change_set, user = _decidable(request, workspace_id, change_set_id)
    parent = None
    if remark.parent_id is not None:
        parent = access.comment_for(user, workspace_id, change_set_id, remark.parent_id)
    row = services.comment(
        change_set=change_set,
        author=user,
        text=remark.text,
        kind=remark.kind,
        path=from_portable(remark.path),
        line=remark.line,
        side=remark.side,
        parent=parent,
    )
    return Status(201, schemas.comment(row))


@router.post(
    f"{ONE}/comments/{{comment_id}}/resolve",
    response={200: schemas.CommentOut, **CHANGING},
    summary="Resolve a comment",
)
def resolve(
    request: HttpRequest,
    wanted: schemas.ResolveIn,
    workspace_id: int = Id,
    change_set_id: int = Id,
    comment_id: int = Id,
) -> Any:
    """Settle a remark, or open it again."""
    user = require_scope(request, "review")
    row = access.comment_for(user, workspace_id, change_set_id, comment_id)
    return schemas.comment(
        services.resolve_comment(comment=row, resolved_by=user, is_resolved=wanted.is_resolved)
    )


@router.post(f"{ONE}/send", response={202: schemas.RunStarted, **CHANGING}, summary="Ask for changes")
def send(request: HttpRequest, workspace_id: int = Id, change_set_id: int = Id) -> Any:
    """Hand all open remarks to the agent; its answer is a new revision."""
    require_scope(request, "run")
    change_set, user = _decidable(request, workspace_id, change_set_id)
    return Status(202, {"run_id": services.send_comments(change_set=change_set, sent_by=user).pk})


@router.post(f"{ONE}/review", response={202: schemas.RunStarted, **CHANGING}, summary="Ask @reviewer")
def ask_review(request: HttpRequest, workspace_id: int = Id, change_set_id: int = Id) -> Any:
    """Have @reviewer read the newest revision; its comments appear on the lines. It decides nothing."""
    require_scope(request, "run")
    change_set, user = _decidable(request, workspace_id, change_set_id)
    return Status(202, {"run_id": services.ask_review(change_set=change_set, asked_by=user).pk})


@router.post(f"{ONE}/evidence", response={202: schemas.EvidenceOut, **LANDING}, summary="Run a command")
def run_command(
    request: HttpRequest, wanted: schemas.EvidenceIn, workspace_id: int = Id, change_set_id: int = Id
) -> Any:
    """Run a command in the sandbox on the accepted hunks alone, or on the whole revision."""
    require_scope(request, "run")
    change_set, user = _decidable(request, workspace_id, change_set_id)
    row = services.run_tests_on_accepted(
        change_set=change_set, requested_by=user, command=wanted.command, is_whole=wanted.is_whole
    )
    return Status(202, schemas.evidence_row(row))


@router.post(
    f"{ONE}/evidence/{{evidence_id}}/cancel",
    response={202: schemas.EvidenceOut, **CHANGING},
    summary="Stop a command",
)
def cancel_command(
    request: HttpRequest, workspace_id: int = Id, change_set_id: int = Id, evidence_id: int = Id
) -> Any:
    """Ask for a running command to be ended."""
    user = require_scope(request, "run")
    row = access.evidence_for(user, workspace_id, change_set_id, evidence_id, role=access.DECIDE)
    return Status(202, schemas.evidence_row(services.cancel_evidence(evidence=row)))


@router.post(f"{ONE}/apply", response={200: schemas.ReviewOut, **LANDING}, summary="Apply what is accepted")
def apply(
    request: HttpRequest, seen: schemas.ApplyIn, workspace_id: int = Id, change_set_id: int = Id
) -> Any:
    """Land the accepted hunks as one commit, when the diff is the one that you saw."""
    change_set, user = _landable(request, workspace_id, change_set_id)
    services.apply(change_set=change_set, applied_by=user, diff_hash=seen.diff_hash, selection=seen.selection)
    return _whole(change_set)


@router.post(
    f"{ONE}/revert",
    response={200: schemas.ReviewOut, **LANDING},
    summary="Take a landed change set out again",
)
def revert(request: HttpRequest, workspace_id: int = Id, change_set_id: int = Id) -> Any:
    """Undo a landed change set by a commit of its own."""
    change_set, user = _landable(request, workspace_id, change_set_id)
    services.revert(change_set=change_set, reverted_by=user)
    return _whole(change_set)


@router.post(f"{ONE}/discard", response={200: schemas.ReviewOut, **CHANGING}, summary="Discard a change set")
def discard(request: HttpRequest, workspace_id: int = Id, change_set_id: int = Id) -> Any:
    """Put a change set away; it can be opened again."""
    change_set, user = _decidable(request, workspace_id, change_set_id)
    services.discard(change_set=change_set, discarded_by=user)
    return _whole(change_set)


@router.post(
    f"{ONE}/reopen", response={200: schemas.ReviewOut, **CHANGING}, summary="Open a change set again"
)
def reopen(request: HttpRequest, workspace_id: int = Id, change_set_id: int = Id) -> Any:
    """Take up a change set that was discarded or reverted."""
    change_set, user = _decidable(request, workspace_id, change_set_id)
    services.reopen(change_set=change_set, reopened_by=user)
    return _whole(change_set)
