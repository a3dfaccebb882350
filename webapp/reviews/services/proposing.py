"""A run's proposal becomes a change set, or the next revision of the one that it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from webapp.accounts.models import User
from webapp.agents.models import Run
from webapp.agents.plain import one_line, storable_text
from webapp.codehealth.rules import patterns_of
from webapp.events.publish import publish_on_commit
from webapp.markdown import render
from webapp.reviews import events
from webapp.reviews.models import ChangeSet, Evidence, ReviewComment, Revision, SeenRevision
from webapp.reviews.resolved import newest_revision
from webapp.reviews.risks import risk_level, risk_strips
from webapp.reviews.services.closing import announce
from webapp.workspaces.repositories import repository_of
from workers.changes.diffs import FileDiff, diff, diff_hash
from workers.changes.repository import Repository
from workers.events import ChangeProposed

OUTPUT_CHARS = 65_536
SUMMARY_CHARS = 20_000
MAX_EVIDENCE = 50


def hidden_ref(change_set_id: int, number: int) -> str:
    """Return the ref that keeps a revision's commits from being collected; no branch, so nobody sees it."""
    return f"refs/agent/{change_set_id}/{number}"


def open_review(*, run: Run, proposal: ChangeProposed) -> Revision:
    """Return the revision for what `run` proposes; told twice, it is one.

    A run that answers comments adds to its change set while that is open; otherwise the proposal is a change set of its own.
    """
    known = Revision.objects.filter(run=run, commit=proposal.commit).select_related("change_set").first()
    if known is not None:
        return known
    repository = repository_of(run.workspace)
    files = diff(repository, proposal.base_commit, proposal.commit)
    risks = risk_strips(
        repository, proposal.base_commit, proposal.commit, files, patterns=patterns_of(run.workspace)
    )
    with transaction.atomic():
        change_set, is_new = _change_set_for(run, proposal, repository)
        revision = add_revision(
            change_set,
            repository,
            base=proposal.base_commit,
            commit=proposal.commit,
            files=files,
            risks=risks,
            run=run,
        )
        _record_evidence(revision, proposal.evidence)
        _record_answers(revision, run.agent, proposal.answers)
        change_set.turn = ChangeSet.Turn.REVIEWER
        change_set.save(update_fields=["turn", "updated_at"])
        if is_new:
            publish_on_commit(run.workspace_id, _opened(change_set))
    return revision


def _change_set_for(run: Run, proposal: ChangeProposed, repository: Repository) -> tuple[ChangeSet, bool]:
    """Return the change set that the proposal belongs to, locked, and whether it is new."""
    wanted = (
        [run.change_set_id]
        if run.change_set_id
        else ChangeSet.objects.filter(run=run).values_list("pk", flat=True)
    )
    for locked in ChangeSet.objects.select_for_update().filter(pk__in=wanted, status=ChangeSet.Status.OPEN):
        return locked, False
    is_first = not ChangeSet.objects.filter(run=run).exists()
    return ChangeSet.objects.create(
        workspace=run.workspace,
        run=run if is_first else None,
        agent=run.agent,
        title=one_line(proposal.title, limit=200) or "Untitled change",
        summary=storable_text(proposal.summary, limit=SUMMARY_CHARS),
        target_branch=storable_text(repository.branch())[:200],
    ), True


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


def _record_evidence(revision: Revision, evidence: Sequence[Mapping[str, Any]]) -> None:
    for item in evidence[:MAX_EVIDENCE]:
        exit_code = item.get("exit_code")
        Evidence.objects.create(
            revision=revision,
            tree=str(item.get("tree") or "")[:64],
            command=storable_text(str(item.get("command", "")), limit=4_000),
            status=Evidence.Status.PASSED if exit_code == 0 else Evidence.Status.FAILED,
            exit_code=exit_code,
            duration_ms=max(0, int(item.get("duration_ms") or 0)),
            output=storable_text(str(item.get("output", "")), limit=OUTPUT_CHARS),
        )


def _record_answers(revision: Revision, agent: str, answers: Sequence[Mapping[str, Any]]) -> None:
    threads = {row.pk: row for row in revision.change_set.comments.filter(parent=None)}
    for answer in answers:
        thread = threads.get(answer.get("comment_id"))  # type: ignore[arg-type]
        text = storable_text(str(answer.get("text", "")).strip(), limit=SUMMARY_CHARS)
        if thread is None or not text:
            continue
        ReviewComment.objects.create(
            change_set=revision.change_set, revision=revision, parent=thread, agent=agent, kind=ReviewComment.Kind.NOTE,
            path=thread.path, hunk_key=thread.hunk_key, side=thread.side, line=thread.line, text=text, html=render(text).html,
            is_sent=True,
        )  # fmt: skip


def _opened(change_set: ChangeSet) -> events.ReviewOpened:
    return events.ReviewOpened(
        change_set_id=change_set.pk,
        run_id=str(change_set.run_id or ""),
        agent=change_set.agent,
        title=change_set.title,
        file_count=change_set.file_count,
        hunk_count=change_set.hunk_count,
        added=change_set.added,
        deleted=change_set.deleted,
        risk=change_set.risk,
    )


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
