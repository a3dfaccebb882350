"""What the engine says about a run, written as rows. Called inside the relay's transaction, once per event or more.

The relay has locked the run and checked fence and sequence number already. Everything here is idempotent all the same: an
event that is written twice changes nothing the second time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from webapp.agents import events, selectors
from webapp.agents.models import Run, Step
from webapp.agents.plain import storable, storable_text
from webapp.agents.services import counting
from webapp.agents.services.ending import announce, end_run
from webapp.events.publish import publish_on_commit
from workers import events as engine
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
LEASE: Final = timedelta(seconds=15)


def run_of(event: engine.EngineEvent) -> Run | None:
    """Return the run, locked, when this event may still change it: same fence, not ended. None otherwise."""
    run = Run.objects.select_for_update().filter(pk=event.run_id).first()
    if run is None or run.is_final or event.fence != run.fence:
        return None
    return run


def moment(at: float) -> datetime:
    """Return what a worker's clock says, or this moment where it says nothing that can be."""
    try:
        return datetime.fromtimestamp(at, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return timezone.now()


def hold(run: Run, event: engine.EngineEvent, fields: set[str]) -> None:
    """Save `fields`, the worker's lease for another while, and how far the run's history goes."""
    run.lease_expires_at = timezone.now() + LEASE
    run.last_seq = max(run.last_seq, event.run_seq)
    run.save(update_fields=sorted(fields | {"lease_expires_at", "last_seq"}))


def record_started(event: engine.RunStarted) -> None:
    """A worker has taken the run."""
    run = run_of(event)
    if run is None:
        return
    if run.status == Run.Status.QUEUED:
        run.status, run.suspend_reason = Run.Status.RUNNING, ""
    run.worker = storable_text(event.worker, limit=120)[:120]
    run.started_at = run.started_at or timezone.now()
    hold(run, event, {"status", "suspend_reason", "worker", "started_at"})
    announce(run)


def record_heartbeat(event: engine.Heartbeat) -> None:
    """The worker still holds the run."""
    run = run_of(event)
    if run is None or run.status == Run.Status.QUEUED:
        return
    if event.tokens_per_s is not None:
        run.tokens_per_s = max(0.0, float(event.tokens_per_s))
    for step_id, used in event.calls.items():
        _note_so_far(run, step_id, used)
    hold(run, event, {"tokens_per_s"})


def _note_so_far(run: Run, step_id: str, used: dict[str, Any]) -> None:
    """Keep what an open model call has used: it counts when its worker is lost, and its end says better."""
    cost_usd = used.get("cost_usd")
    run.steps.filter(step_id=step_id[:40], status="running", kind="model_call").update(
        input_tokens=counting.bounded(used.get("input_tokens")),
        output_tokens=counting.bounded(used.get("output_tokens")),
        cost_usd=None if cost_usd is None else float(cost_usd),
    )


def record_step_started(event: engine.StepStarted) -> None:
    """A node of the tree appears; a later attempt at a step that was cut off begins it anew."""
    run = run_of(event)
    if run is None:
        return
    fields: dict[str, Any] = {
        "parent_id": (event.parent_id or "")[:40],
        "kind": event.kind[:20],
        "title": storable_text(event.title, limit=300)[:300],
        "status": "running",
        "detail": storable(event.detail),
        "started_at": moment(event.at),
        "seq": event.run_seq,
    }
    step, is_new = Step.objects.get_or_create(run=run, step_id=event.step_id[:40], defaults=fields)
    if not is_new and event.run_seq > step.seq:
        fields["detail"] = {**fields["detail"], **counting.kept(step)}
        unspent = {"duration_ms": None, "input_tokens": 0, "output_tokens": 0, "cost_usd": None}
        for name, value in {**fields, **unspent}.items():
            setattr(step, name, value)
        step.save()
        is_new = True
    hold(run, event, set())
    if is_new:
        publish_on_commit(
            run.workspace_id, events.StepStarted(run_id=str(run.pk), step=selectors.step_row(step))
        )


def record_step_finished(event: engine.StepFinished) -> None:
    """A node of the tree is done; its tokens and cost are added to the run's, once."""
    run = run_of(event)
    if run is None:
        return
    step = Step.objects.filter(run=run, step_id=event.step_id[:40]).first()
    if step is None:
        log.error("a step ended that never began", run_id=event.run_id, step_id=event.step_id)
        return
    if step.status != "running":
        hold(run, event, set())
        return
    step.status = event.status
    step.duration_ms = counting.bounded(event.duration_ms)
    step.input_tokens, step.output_tokens = (
        counting.bounded(event.input_tokens),
        counting.bounded(event.output_tokens),
    )
    step.cost_usd = event.cost_usd
    step.detail = {**step.detail, **storable(event.detail)}
    step.save(update_fields=["status", "duration_ms", "input_tokens", "output_tokens", "cost_usd", "detail"])
    hold(run, event, counting.count_step(run, step))
    publish_on_commit(
        run.workspace_id,
        events.StepFinished(run_id=str(run.pk), step=selectors.step_row(step), totals=selectors.totals(run)),
    )


def record_proposed(event: engine.ChangeProposed | engine.ReviewCommented) -> None:
    """The worker still holds the run; the change set, or what is said about one, is recorded by the reviews."""
    run = run_of(event)
    if run is not None:
        hold(run, event, set())


def record_finished(event: engine.RunFinished) -> None:
    """The run is done."""
    run = run_of(event)
    if run is not None:
        hold(run, event, set())
        end_run(run, Run.Status.FINISHED, answer=event.answer)


def record_failed(event: engine.RunFailed) -> None:
    """The run could not go on."""
    run = run_of(event)
    if run is not None:
        hold(run, event, set())
        end_run(run, Run.Status.FAILED, code=event.code, message=event.message, is_retryable=event.retryable)


def record_stopped(event: engine.RunStopped) -> None:
    """The worker has stopped, as a person asked."""
    run = run_of(event)
    if run is not None:
        hold(run, event, set())
        end_run(
            run,
            Run.Status.CANCELLED,
            code="run_cancelled",
            message=" ".join(filter(None, (run.error_message or "Stopped.", event.note))),
            is_retryable=True,
        )
