"""A run's proposal becomes a change set, or the next revision of the one that it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q

from webapp.agents.models import Run
from webapp.agents.plain import one_line, storable_text
from webapp.codehealth.rules import patterns_of
from webapp.errors import Conflict
from webapp.events.publish import publish_on_commit
from webapp.markdown import render
from webapp.reviews import events
from webapp.reviews.models import ChangeSet, Evidence, ReviewComment, Revision
from webapp.reviews.resolved import newest_revision
from webapp.reviews.risks import risk_strips
from webapp.reviews.services.following import Offer, offer_of, summary_of_following, tell_landed
from webapp.reviews.services.landing import landing_lock
from webapp.reviews.services.proposing import add_revision
from webapp.reviews.services.recovery import recover_open_intents
from webapp.workspaces.repositories import repository_of
from workers.changes.diffs import FileDiff, diff
from workers.changes.repository import Repository
from workers.events import ChangeProposed

OUTPUT_CHARS = 65_536
SUMMARY_CHARS = 20_000
MAX_EVIDENCE = 50
LANDING_TIMEOUT_S = 10.0
"""How long the relay waits for a landing of the answered change set to end, one way or the other."""
TRIES = 5
Status = ChangeSet.Status


def open_review(*, run: Run, proposal: ChangeProposed) -> Revision | None:
    """Return the revision for what `run` proposes; told twice, it is one.

    A run that answers comments adds to its change set while that is open. When it has landed meanwhile, what the answer adds to
    what landed is a change set of its own, and None is returned when that is nothing. Otherwise the proposal is one as it is.

    Raises:
        Conflict: the answered change set is opened and closed again and again at this moment.
        WorkspaceBusy: it is being applied, and that takes long.
    """
    known = Revision.objects.filter(run=run, commit=proposal.commit).select_related("change_set").first()
    if known is not None:
        return known
    repository = repository_of(run.workspace)
    for _ in range(TRIES):
        answered = _answered(run)
        offer = offer_of(run, proposal, answered, repository)
        files = diff(repository, offer.base, offer.commit)
        # Before the transaction, which on SQLite keeps everybody else from writing.
        risks = risk_strips(repository, offer.base, offer.commit, files, patterns=patterns_of(run.workspace))
        with transaction.atomic():
            if answered is None or _is_still(answered):
                return _record(run, proposal, offer, repository, files=files, risks=risks)
    raise Conflict("The review that this answers is opened and closed again and again.")


def _answered(run: Run) -> ChangeSet | None:
    """The change set that the run answers, or has proposed before; one that is being applied has come to an end first."""
    which = Q(pk=run.change_set_id) if run.change_set_id else Q(run=run)
    found = ChangeSet.objects.filter(which).first()
    if found is None or found.status != Status.LANDING:
        return found
    with landing_lock(run.workspace_id, timeout_s=LANDING_TIMEOUT_S):
        pass
    recover_open_intents()  # does nothing unless who applied it has died
    found.refresh_from_db()
    return found


def _is_still(answered: ChangeSet) -> bool:
    """Whether the change set is what the offer was made for; locked until the transaction ends."""
    now = ChangeSet.objects.select_for_update().filter(pk=answered.pk, status=answered.status)
    return now.first() is not None


def _record(
    run: Run,
    proposal: ChangeProposed,
    offer: Offer,
    repository: Repository,
    *,
    files: Sequence[FileDiff],
    risks: Mapping[str, Any],
) -> Revision | None:
    """Write the offer down; None when it is empty. Call it in a transaction."""
    follows = offer.follows
    if follows is not None:
        _record_answers(newest_revision(follows), run.agent, proposal.answers)
        if offer.is_empty:
            tell_landed(follows, run.agent, None)
            return None
        # Told twice: each time the commit is another, its tree the same.
        if known := Revision.objects.filter(run=run, tree=repository.tree_of(offer.commit)).first():
            return known
    change_set, is_new = _change_set_for(run, proposal, offer, repository)
    revision = add_revision(
        change_set, repository, base=offer.base, commit=offer.commit, files=files, risks=risks, run=run
    )
    _record_evidence(revision, proposal.evidence)
    if follows is None:
        _record_answers(revision, run.agent, proposal.answers)
    change_set.turn = ChangeSet.Turn.REVIEWER
    change_set.save(update_fields=["turn", "updated_at"])
    if is_new:
        publish_on_commit(run.workspace_id, _opened(change_set))
        if follows is not None:
            tell_landed(follows, run.agent, change_set)
    return revision


def _change_set_for(
    run: Run, proposal: ChangeProposed, offer: Offer, repository: Repository
) -> tuple[ChangeSet, bool]:
    """Return the change set that the offer belongs to, locked, and whether it is new."""
    ours = Q(run=run) | Q(pk=run.change_set_id) if run.change_set_id else Q(run=run)
    for locked in ChangeSet.objects.select_for_update().filter(ours, status=Status.OPEN).order_by("id"):
        return locked, False
    is_first = not ChangeSet.objects.filter(run=run).exists()
    follows, summary = offer.follows, proposal.summary
    branch = storable_text(repository.branch()) if follows is None else follows.target_branch
    return ChangeSet.objects.create(
        workspace=run.workspace,
        run=run if is_first else None,
        agent=run.agent,
        title=one_line(proposal.title, limit=200) or "Untitled change",
        summary=storable_text(
            summary if follows is None else summary_of_following(follows, summary), limit=SUMMARY_CHARS
        ),
        target_branch=branch[:200],
    ), True


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
    """Put the answers below the remarks that they answer, each once."""
    threads = {row.pk: row for row in revision.change_set.comments.filter(parent=None)}
    for answer in answers:
        thread = threads.get(answer.get("comment_id"))  # type: ignore[arg-type]
        text = storable_text(str(answer.get("text", "")).strip(), limit=SUMMARY_CHARS)
        if thread is None or not text or thread.replies.filter(agent=agent, text=text).exists():
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
