"""Calls that wait for a person's yes or no: asked by the engine, answered by who may, once."""

from __future__ import annotations

from typing import Final

from django.utils import timezone

from webapp.agents import events
from webapp.agents.models import Approval, Run, SteeringNote
from webapp.agents.plain import storable, storable_text
from webapp.agents.policies import access, selectors
from webapp.agents.services.recording import run_of
from webapp.errors import Conflict, Forbidden, Invalid
from webapp.events.publish import publish_on_commit
from webapp.events.registry import approval_asked
from workers import events as engine
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
DECISIONS: Final = (SteeringNote.Kind.APPROVE, SteeringNote.Kind.DENY)


def record_asked(event: engine.ApprovalAsked) -> None:
    """A call waits for a person's yes. One that is asked again, since its run was taken up without an answer, is the same."""
    run = run_of(event)
    if run is None:
        return
    run.last_seq = max(run.last_seq, event.run_seq)
    run.save(update_fields=["last_seq"])
    approval, is_new = Approval.objects.get_or_create(
        run=run,
        step_id=event.step_id[:40],
        defaults={
            "tool": storable_text(event.tool, limit=100)[:100],
            "arguments": storable(event.arguments),
            "call_hash": event.call_hash[:64],
            "rule": storable_text(event.rule, limit=200)[:200],
            "reason": storable_text(event.reason, limit=4_000),
            "needs_maintainer": event.approver == "maintainer",
        },
    )
    if is_new:
        _tell(approval)
        approval_asked(approval)


def decide(*, note: SteeringNote) -> Approval:
    """Return the approval that a person's note answers. The transaction holds the run's row.

    Raises:
        Invalid: nobody asked by this step.
        Forbidden: this person may not answer.
        Conflict: somebody has answered already.
    """
    run, by = note.run, note.by
    approval = Approval.objects.filter(run=run, step_id=note.step_id).first()
    if approval is None:
        raise Invalid("This step waits for no approval.", field="step_id")
    if by is None or not access.may_decide(by, run, needs_maintainer=approval.needs_maintainer):
        raise Forbidden(access.who_decides(approval))
    if approval.verdict:
        raise Conflict(
            f"This was answered already: {approval.get_verdict_display()}.", verdict=approval.verdict
        )
    approval.verdict, approval.text, approval.note = note.kind, note.text, note
    approval.decided_by, approval.decided_at = by, timezone.now()
    approval.save()
    _tell(approval)
    log.info("call decided", run_id=str(run.pk), step_id=approval.step_id, verdict=approval.verdict, by=by.pk)
    return approval


def is_answered(run: Run) -> bool:
    """Return whether everything that the suspended run waits for was answered: it was, while its worker let go of it."""
    waits_for = set(run.waits_for)
    answered = run.approvals.filter(step_id__in=waits_for).exclude(verdict="").count()
    return bool(waits_for) and answered == len(waits_for)


def _tell(approval: Approval) -> None:
    publish_on_commit(
        approval.run.workspace_id,
        events.ApprovalChanged(run_id=str(approval.run_id), approval=selectors.approval_row(approval)),
    )
