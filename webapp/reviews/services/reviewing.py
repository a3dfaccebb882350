"""Asking @reviewer to read a change set, and writing down what it says. What it says decides nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from webapp.accounts.models import User
from webapp.agents.models import Run
from webapp.agents.plain import storable, storable_text
from webapp.agents.services import start_run
from webapp.errors import Conflict, Invalid, NotFound
from webapp.events.registry import Prepared
from webapp.markdown import render
from webapp.reviews.models import ChangeSet, ReviewComment
from webapp.reviews.resolved import Resolved, current_decisions, newest_revision, resolve
from webapp.reviews.selectors import REVIEWER, is_under_review
from webapp.reviews.services.closing import announce
from webapp.reviews.services.commenting import TEXT_CHARS, Kind, announce_comment, place
from webapp.workspaces.models import Workspace
from workers.changes.paths import from_portable
from workers.events import ReviewCommented
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
MAX_COMMENTS = 100
_CHANGE = re.compile(r"\b(?:review|change|change set)\s+#?(\d{1,18})\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?:^|\b(?:reviews?|changes?|change sets?)\s+|#)#?(\d{1,18})\b", re.IGNORECASE)


@transaction.atomic
def ask_review(*, change_set: ChangeSet, asked_by: User) -> Run:
    """Return the run in which @reviewer reads the newest revision.

    Raises:
        Conflict: it reads this change set already.
    """
    locked = ChangeSet.objects.select_for_update().get(pk=change_set.pk)
    if is_under_review(locked):
        raise Conflict(f"@{REVIEWER} is reading this already.")
    goal = f"Review change {locked.pk}: {locked.title}"
    return start_run(workspace=change_set.workspace, requested_by=asked_by, agent=REVIEWER, goal=goal)


def prepare_review(run: Run) -> Prepared:
    """Return which revision a run of @reviewer reads: of the change set whose number its goal names, else of the last one.

    Raises:
        NotFound: there is no such change set here.
    """
    return _handed(_change_set_named(run.workspace, run.goal))


def prepare_tests(run: Run) -> Prepared:
    """Return which change a run of @tester works on, when its goal names one by number; otherwise it works on the files.

    Raises:
        NotFound: there is no such change set here.
    """
    if (named := _CHANGE.search(run.goal)) is None:
        return Prepared()
    return _handed(_change_set_named(run.workspace, named[1]))


def _handed(change_set: ChangeSet) -> Prepared:
    revision = newest_revision(change_set)
    review = {
        "change_set_id": change_set.pk,
        "revision": revision.number,
        "base_commit": revision.base_commit,
        "commit": revision.commit,
        "title": change_set.title,
        "summary": change_set.summary,
    }
    return Prepared(job={"review_of": storable(review)}, base_commit=revision.commit)


def _change_set_named(workspace: Workspace, goal: str) -> ChangeSet:
    rows = ChangeSet.objects.filter(workspace=workspace).order_by("-pk")
    if (number := _NUMBER.search(goal)) is not None:
        found = rows.filter(pk=int(number[1])).first()
    else:
        found = rows.filter(status=ChangeSet.Status.OPEN).first() or rows.first()
    if found is None:
        which = f"change {number[1]}" if number is not None else "change"
        raise NotFound(f"There is no {which} here.")
    return found


def announce_reviewing(run: Run) -> None:
    """When @reviewer begins to read a change set, or has ended: its page shows so. Call it in the run's transaction."""
    if run.agent != REVIEWER:
        return
    review = run.job.get("review_of") or {}
    change_set = ChangeSet.objects.filter(
        pk=review.get("change_set_id") or 0, workspace_id=run.workspace_id
    ).first()
    if change_set is not None:
        announce(change_set, f"@{run.agent}")


def record_review(event: ReviewCommented) -> None:
    """Write down what an agent says about the revision that it was given; told twice, it stands there once."""
    run = Run.objects.filter(pk=event.run_id).first()
    review = (run.job.get("review_of") if run is not None else None) or {}
    named = (event.change_set_id, event.revision)
    if run is None or run.agent != REVIEWER or named != (review.get("change_set_id"), review.get("revision")):
        log.error("an agent commented on what it was not given", run_id=event.run_id, named=named)
        return
    with transaction.atomic():
        # Locked, so that no must-fix comes in between while the change set lands.
        change_set = (
            ChangeSet.objects.select_for_update()
            .filter(pk=event.change_set_id, workspace_id=run.workspace_id)
            .first()
        )
        if change_set is None:
            return
        revision = change_set.revisions.get(number=event.revision)
        revision.change_set = change_set
        resolved = resolve(revision, current_decisions(change_set))
        whole = [{"text": event.summary}] if event.summary.strip() else []
        for remark in (*event.comments[:MAX_COMMENTS], *whole):
            _record(change_set, resolved, run.agent, remark)


def _record(change_set: ChangeSet, resolved: Resolved, agent: str, remark: Mapping[str, Any]) -> None:
    text = storable_text(str(remark.get("text") or "").strip(), limit=TEXT_CHARS)
    kind, side = remark.get("kind", Kind.NOTE), remark.get("side", "new")
    if not text or kind not in Kind.values or side not in ("old", "new"):
        log.warning("an agent's comment makes no sense", change_set_id=change_set.pk)
        return
    row = ReviewComment(change_set=change_set, agent=agent, kind=kind, side=side, text=text)
    try:
        place(row, resolved, from_portable(str(remark.get("path") or "")), remark.get("line"))
    except (Invalid, NotFound) as error:
        log.warning("an agent's comment has no place", change_set_id=change_set.pk, reason=str(error))
        return
    row.is_sent = (
        not row.path
    )  # the whole is for people; what stands on lines the author may be asked to answer
    same = {"revision": row.revision, "agent": agent, "path": row.path, "side": side, "line": row.line}
    if change_set.comments.filter(parent=None, text=text, **same).exists():
        return
    row.html = render(text).html
    row.save(force_insert=True)
    announce_comment(change_set, row, by=f"@{agent}")
