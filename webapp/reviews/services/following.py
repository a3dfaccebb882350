"""An answer that comes when its change set has landed: what it adds to what landed is a change set of its own.

The landed one is closed and stands for a commit. Offered whole, the answer would bring every hunk that landed once more, as
conflicts; so the hunks that landed become its base, and what people left out or edited is not offered again.
"""

from __future__ import annotations

from dataclasses import dataclass

from webapp.agents.models import Run
from webapp.markdown import render
from webapp.reviews.models import ChangeSet, ReviewComment, Revision
from webapp.reviews.resolved import current_decisions, newest_revision, resolve, resolve_change_set
from webapp.reviews.services.closing import announce
from workers.changes.followup import followup_tree
from workers.changes.hunks import build_tree
from workers.changes.repository import Author, Repository
from workers.events import ChangeProposed

_AGENT = Author("PyAgent agent", "agent@localhost")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a proposal comes down to; `follows` is the landed change set whose news it is."""

    base: str
    commit: str
    follows: ChangeSet | None = None
    is_empty: bool = False


def offer_of(run: Run, proposal: ChangeProposed, answered: ChangeSet | None, repository: Repository) -> Offer:
    """Return the proposal as it is, or what it adds to the change set that it answers when that has landed."""
    if answered is None or answered.status != ChangeSet.Status.LANDED:
        return Offer(proposal.base_commit, proposal.commit)
    revision = _answered_revision(run, proposal, answered)
    if revision is None:
        return Offer(proposal.base_commit, proposal.commit)
    landed = _landed_on_its_base(answered, revision, repository)
    tree = followup_tree(repository, landed=landed, answered=revision.commit, answer=proposal.commit)
    message = f"What an answer adds to change set {answered.pk}"
    commit = repository.commit_tree(tree, [landed], message, author=_AGENT)
    return Offer(landed, commit, follows=answered, is_empty=tree == repository.tree_of(landed))


def _answered_revision(run: Run, proposal: ChangeProposed, answered: ChangeSet) -> Revision | None:
    """The revision that the agent went on from; None when the proposal does not stand on this change set."""
    revisions = answered.revisions.filter(base_commit=proposal.base_commit)
    if number := (run.job.get("revision_of") or {}).get("revision"):
        revisions = revisions.filter(number__lte=number)
    return revisions.order_by("-number").first()


def _landed_on_its_base(answered: ChangeSet, revision: Revision, repository: Repository) -> str:
    """Return a commit of the hunks that landed, on the base of `revision`: it may have been carried over before it landed."""
    landed = {hunk.key for hunk in resolve_change_set(answered).taken}
    resolved = resolve(revision, current_decisions(answered))
    choices = [hunk.choice for hunk in resolved.taken if hunk.key in landed]
    tree = build_tree(repository, revision.base_commit, resolved.diffs, choices)
    message = f"What landed of change set {answered.pk}"
    return repository.commit_tree(tree, [revision.base_commit], message, author=_AGENT)


def summary_of_following(follows: ChangeSet, summary: str) -> str:
    """Return the summary of a change set that follows a landed one."""
    return f"Follows review {follows.pk}, which had landed by then: only what is new is offered.\n\n{summary}"


def tell_landed(landed: ChangeSet, agent: str, following: ChangeSet | None) -> None:
    """Say in the landed review what became of the answer, once. Call it in a transaction."""
    text = (
        "This had landed before the answer came, and the answer adds nothing to it."
        if following is None
        else "This had landed before the answer came. What is new in it waits in "
        f"[review {following.pk}](/w/{following.workspace_id}/reviews/{following.pk}/)."
    )
    if landed.comments.filter(agent=agent, text=text).exists():
        return
    ReviewComment.objects.create(
        change_set=landed, revision=newest_revision(landed), agent=agent, text=text, html=render(text).html,
        is_sent=True,
    )  # fmt: skip
    announce(landed, f"@{agent}")
