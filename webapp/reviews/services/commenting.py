"""Remarks on lines, and handing them to the agent."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents.models import Run
from webapp.agents.plain import storable_text
from webapp.agents.services import start_run
from webapp.errors import Conflict, Invalid
from webapp.events.publish import publish_on_commit
from webapp.markdown import render
from webapp.reviews import events
from webapp.reviews.characters import visible_text
from webapp.reviews.models import ChangeSet, ReviewComment
from webapp.reviews.resolved import HunkState, Resolved, Verdict, newest_revision, resolve_change_set
from webapp.reviews.services.closing import announce
from webapp.reviews.services.deciding import lock_open
from webapp.reviews.services.teaching import teach_comment

Kind = ReviewComment.Kind
TEXT_CHARS = 20_000
CODE_CHARS = 2_000
REJECTED_LINES = 200


def storable_path(path: str) -> str:
    """Return the path as a row can hold it: what is no UTF-8 or invisible spelled out."""
    return visible_text(path)[:1024]


@transaction.atomic
def comment(
    *,
    change_set: ChangeSet,
    author: User,
    text: str,
    kind: str = Kind.NOTE,
    path: str = "",
    line: int | None = None,
    side: str = "new",
    parent: ReviewComment | None = None,
) -> ReviewComment:
    """Return the new remark: on a line that the newest revision shows, on a file, on the whole (no path), or on another remark.

    The line's code is taken from the diff, not from the caller.

    Raises:
        Invalid: no text, an unknown kind or side, or the revision does not show that line.
        NotFound: the revision does not touch that file.
        Conflict: a must-fix on a change set that is not open.
    """
    text = storable_text(text.strip(), limit=TEXT_CHARS)
    if not text:
        raise Invalid("Write something first.")
    if kind not in Kind.values or side not in ("old", "new"):
        raise Invalid(f"A comment is one of {', '.join(Kind.values)}, on the old or the new side.")
    if kind == Kind.MUST_FIX and parent is None:
        change_set = lock_open(change_set)
    row = ReviewComment(
        change_set=change_set, author=author, kind=kind, text=text, html=render(text).html, side=side
    )
    if parent is not None:
        _place_reply(row, parent)
    else:
        place(row, resolve_change_set(change_set), path, line)
    row.save(force_insert=True)
    announce_comment(change_set, row, by=author.display_name)
    teach_comment(change_set, row)
    return row


def _place_reply(row: ReviewComment, parent: ReviewComment) -> None:
    if parent.change_set_id != row.change_set_id:
        raise Invalid("That comment belongs to another review.")
    thread = parent.parent or parent
    row.parent, row.kind = thread, Kind.NOTE
    row.revision_id, row.path, row.hunk_key, row.side, row.line = (
        thread.revision_id, thread.path, thread.hunk_key, thread.side, thread.line,
    )  # fmt: skip


def place(row: ReviewComment, resolved: Resolved, path: str, line: int | None) -> None:
    """Put an unsaved remark on a line that this revision shows, with the code that stands there; without a path on the whole.

    Raises:
        Invalid: the revision does not show that line.
        NotFound: it does not touch that file.
    """
    row.revision = resolved.revision
    if not path:
        if line is not None:
            raise Invalid("A line needs a file.")
        return
    file = resolved.file(path)
    row.path = storable_path(path)
    if line is None:
        return
    for hunk in file.hunks:
        for shown in hunk.hunk.lines:
            if (shown.old_no if row.side == "old" else shown.new_no) == line:
                row.line, row.hunk_key, row.code = line, hunk.key, storable_text(shown.text, limit=CODE_CHARS)
                return
    raise Invalid("This revision does not show that line.", path=row.path, line=line)


def announce_comment(change_set: ChangeSet, row: ReviewComment, *, by: str) -> None:
    """Tell the workspace, once the transaction commits, that a remark was made or changed."""
    publish_on_commit(
        change_set.workspace_id,
        events.ReviewCommented(change_set_id=change_set.pk, comment_id=row.pk, hunk_key=row.hunk_key, by=by),
    )


@transaction.atomic
def resolve_comment(*, comment: ReviewComment, resolved_by: User, is_resolved: bool = True) -> ReviewComment:
    """Return the remark (of an answer: the one it answers), settled or open again."""
    thread = comment.parent or comment
    if (thread.resolved_at is not None) != is_resolved:
        thread.resolved_at = timezone.now() if is_resolved else None
        thread.resolved_by = resolved_by if is_resolved else None
        thread.save(update_fields=["resolved_at", "resolved_by"])
        announce_comment(comment.change_set, thread, by=resolved_by.display_name)
    return thread


def open_must_fixes(change_set: ChangeSet) -> int:
    """Return how many must-fix remarks nobody has resolved; while there are any, nothing is applied."""
    return change_set.comments.filter(kind=Kind.MUST_FIX, parent=None, resolved_at=None).count()


@transaction.atomic
def send_comments(*, change_set: ChangeSet, sent_by: User) -> Run:
    """Return the run in which the agent answers: every open remark it has not been given, and the rejected hunks with reasons.

    Raises:
        Invalid: there is nothing to send.
        Conflict: the change set is not open, or the agent is answering already.
    """
    change_set = lock_open(change_set)
    _refuse_while_answering(change_set)
    resolved = resolve_change_set(change_set)
    remarks = list(
        change_set.comments.filter(parent=None, resolved_at=None, is_sent=False).prefetch_related("replies")
    )
    rejected = [_rejected(hunk) for hunk in resolved if hunk.verdict == Verdict.REJECTED]
    if not remarks and not any(hunk["reason"] for hunk in rejected):
        raise Invalid("There is nothing to send: write a comment, or give a reason with a rejected hunk.")
    revision = newest_revision(change_set)
    return start_run(
        workspace=change_set.workspace,
        requested_by=sent_by,
        agent=change_set.agent,
        goal=_goal(change_set, remarks),
        change_set=change_set,
        base_commit=revision.base_commit,
        revision={
            "change_set_id": change_set.pk,
            "revision": revision.number,
            "commit": revision.commit,
            "title": change_set.title,
            "goal": change_set.run.goal if change_set.run else "",
            "comments": [_remark(remark) for remark in remarks],
            "rejected": rejected,
        },
    )


def _refuse_while_answering(change_set: ChangeSet, *, but: Run | None = None) -> None:
    others = Run.objects.filter(change_set=change_set).exclude(status__in=Run.FINAL)
    if (others.exclude(pk=but.pk) if but is not None else others).exists():
        raise Conflict(f"@{change_set.agent} is answering already. Its next revision comes first.")


def hand_turn(run: Run) -> None:
    """When an answering run is queued, for the first time or again: it is the agent's turn, and its comments are sent.

    Call it in the transaction that makes the run.

    Raises:
        Conflict: the change set is not open (any more), or the agent is answering already.
    """
    if run.change_set is None:
        return
    change_set = lock_open(run.change_set)
    _refuse_while_answering(change_set, but=run)
    sent = [item["id"] for item in (run.job.get("revision_of") or {}).get("comments", [])]
    change_set.comments.filter(pk__in=sent).update(is_sent=True)
    change_set.turn = ChangeSet.Turn.AGENT
    change_set.save(update_fields=["turn", "updated_at"])
    announce(change_set, run.requested_by.display_name if run.requested_by else "")


def _goal(change_set: ChangeSet, remarks: list[ReviewComment]) -> str:
    count = f"{len(remarks)} comment{'' if len(remarks) == 1 else 's'}" if remarks else "what was rejected"
    return f"Answer the review of “{change_set.title}”: {count}."


def _remark(remark: ReviewComment) -> dict[str, Any]:
    said = [remark.text, *(reply.text for reply in remark.replies.all())]
    return {
        "id": remark.pk,
        "kind": remark.kind,
        "path": remark.path,
        "line": remark.line,
        "side": remark.side,
        "hunk": remark.hunk_key,
        "code": remark.code,
        "text": "\n\n".join(said),
    }


def _rejected(hunk: HunkState) -> dict[str, Any]:
    lines = [f"{line.kind}{line.text}" for line in hunk.hunk.lines[:REJECTED_LINES]]
    return {
        "hunk": hunk.key,
        "path": storable_path(hunk.hunk.path),
        "header": hunk.hunk.header,
        "reason": hunk.decision.reason if hunk.decision is not None else "",
        "lines": "\n".join(lines),
    }
