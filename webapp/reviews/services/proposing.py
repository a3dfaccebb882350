"""Revisions of a change set, and whose turn it is when an answer comes without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webapp.accounts.models import User
from webapp.agents.models import Run
from webapp.events.publish import publish_on_commit
from webapp.markdown import render
from webapp.reviews import events
from webapp.reviews.models import ChangeSet, ReviewComment, Revision, SeenRevision
from webapp.reviews.resolved import newest_revision
from webapp.reviews.risks import risk_level
from webapp.reviews.services.closing import announce
from workers.changes.diffs import FileDiff, diff_hash
from workers.changes.repository import Repository


def hidden_ref(change_set_id: int, number: int) -> str:
    """Return the ref that keeps a revision's commits from being collected; no branch, so nobody sees it."""
    return f"refs/agent/{change_set_id}/{number}"


def add_revision(
    change_set: ChangeSet,
    repository: Repository,
    *,
    base: str,
    commit: str,
    files: Sequence[FileDiff],
    risks: Mapping[str, Any],
    run: Run | None,
    origin: str = Revision.Origin.AGENT,
    conflicts: Sequence[Mapping[str, Any]] = (),
) -> Revision:
    """Return the change set's next revision, its commit kept by a hidden ref. Call it with the change set locked."""
    last = change_set.revisions.order_by("-number").values_list("number", flat=True).first() or 0
    revision = Revision(
        change_set=change_set,
        run=run,
        number=last + 1,
        base_commit=base,
        commit=commit,
        tree=repository.tree_of(commit),
        diff_hash=diff_hash(base, list(files)),
        origin=origin,
    )
    revision.files = [file.to_dict() for file in files]
    revision.risks = dict(risks)
    revision.conflicts = [dict(conflict) for conflict in conflicts]
    revision.save(force_insert=True)
    _keep(repository, hidden_ref(change_set.pk, revision.number), commit)
    change_set.file_count = len(files)
    change_set.hunk_count = sum(len(file.hunks) for file in files)
    change_set.added = sum(file.added for file in files)
    change_set.deleted = sum(file.deleted for file in files)
    change_set.risk = risk_level(risks)
    change_set.save(update_fields=["file_count", "hunk_count", "added", "deleted", "risk", "updated_at"])
    publish_on_commit(
        change_set.workspace_id,
        events.RevisionAdded(change_set_id=change_set.pk, number=revision.number, origin=origin),
    )
    return revision


def _keep(repository: Repository, ref: str, commit: str) -> None:
    # A transaction that was rolled back may have left the ref with another commit: its number is ours now.
    found = repository.ref(ref)
    if found != commit:
        repository.update_ref(ref, commit, found)


def return_turn(run: Run) -> None:
    """When an answering run ends without a new revision: it is the reviewer's turn again, and what was sent can be sent anew.

    Call it in the transaction that ends the run. An agent that only answered in words has its answer kept as a remark.
    """
    if run.change_set_id is None:
        return
    change_set = (
        ChangeSet.objects.select_for_update().filter(pk=run.change_set_id, turn=ChangeSet.Turn.AGENT).first()
    )
    if change_set is None:
        return
    change_set.turn = ChangeSet.Turn.REVIEWER
    change_set.save(update_fields=["turn", "updated_at"])
    is_answered = run.status == Run.Status.FINISHED
    if is_answered and run.answer.strip():
        ReviewComment.objects.create(
            change_set=change_set,
            revision=newest_revision(change_set),
            agent=run.agent,
            text=run.answer,
            html=render(run.answer).html,
            is_sent=True,
        )
    if not is_answered:
        sent = [item["id"] for item in (run.job.get("revision_of") or {}).get("comments", [])]
        change_set.comments.filter(pk__in=sent, resolved_at=None).update(is_sent=False)
    announce(change_set, f"@{run.agent}")


def mark_seen(*, change_set: ChangeSet, user: User, number: int) -> int | None:
    """Note that the person has looked at revision `number`; return the one they had looked at before, None at first."""
    row, is_new = SeenRevision.objects.get_or_create(
        change_set=change_set, user=user, defaults={"number": number}
    )
    before = None if is_new else row.number
    if not is_new and number > row.number:
        SeenRevision.objects.filter(pk=row.pk, number__lt=number).update(number=number)
    return before
