"""What reviews teach: reasons of rejections, remarks that ask for a fix, and what became of what a run offered."""

from __future__ import annotations

from collections.abc import Sequence

from webapp.agents.models import Run
from webapp.agents.plain import storable_text
from webapp.learning import services as learning
from webapp.learning.models import Outcome
from webapp.reviews.models import ChangeSet, Decision, ReviewComment
from webapp.reviews.resolved import HunkState
from workers.learning.core import LessonCore

core = LessonCore()
Status = ChangeSet.Status
_OUTCOMES = {
    Status.LANDED: Outcome.HELPED,
    Status.DISCARDED: Outcome.FAILED,
    Status.REVERTED: Outcome.FAILED,
    Status.OPEN: Outcome.OPEN,
}


def teach_decision(change_set: ChangeSet, hunks: Sequence[HunkState], decision: Decision) -> None:
    """A rejection with a reason is a lesson, one act on many hunks is one; whoever decides otherwise takes it back."""
    unteach(change_set, [hunk.decision for hunk in hunks if hunk.decision is not None])
    if decision.verdict != Decision.Verdict.REJECTED or not decision.reason:
        return
    hunk = hunks[0]
    added = [storable_text(line.text) for line in hunk.hunk.lines if line.kind == "+"]
    run = change_set.run
    learning.observe(
        workspace=change_set.workspace,
        observation=core.from_rejected_hunk(
            reason=decision.reason,
            path=storable_text(hunk.hunk.path),
            added=added,
            goal=run.goal if run else "",
        ),
        origin=_origin(change_set, decision),
        run_id=run.pk if run else None,
        change_set_id=change_set.pk,
        hunk_key=hunk.key,
        by=decision.decided_by,
    )


def unteach(change_set: ChangeSet, undone: Sequence[Decision]) -> None:
    """What was decided was taken back, and its lesson with it."""
    rejections = [row for row in undone if row.verdict == Decision.Verdict.REJECTED and row.reason]
    if rejections:
        learning.withdraw(
            workspace_id=change_set.workspace_id,
            origins=sorted({_origin(change_set, row) for row in rejections}),
        )


def _origin(change_set: ChangeSet, decision: Decision) -> str:
    return f"decision:{change_set.pk}:{decision.batch}"


def teach_comment(change_set: ChangeSet, comment: ReviewComment) -> None:
    """A person's remark that asks for a fix is a lesson."""
    if comment.kind != ReviewComment.Kind.MUST_FIX or comment.author is None:
        return
    run = change_set.run
    learning.observe(
        workspace=change_set.workspace,
        observation=core.from_comment(
            text=comment.text, path=comment.path, code=comment.code, goal=run.goal if run else ""
        ),
        origin=f"comment:{comment.pk}",
        run_id=run.pk if run else None,
        change_set_id=change_set.pk,
        hunk_key=comment.hunk_key,
        by=comment.author,
    )


def teach_outcome(change_set: ChangeSet) -> None:
    """Tell learning what became of what the change set's runs offered."""
    outcome = _OUTCOMES.get(Status(change_set.status))
    if outcome is not None:
        ids = {change_set.run_id, *change_set.revisions.values_list("run_id", flat=True)}
        learning.record_outcome(runs=Run.objects.filter(pk__in=filter(None, ids)), outcome=outcome)
