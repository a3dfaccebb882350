"""How a run ends, whatever ends it: one place, so that its row, its open steps and the apps above always agree."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.utils import timezone

from webapp.agents import events, selectors
from webapp.agents.models import Run
from webapp.agents.plain import sentence, storable_text
from webapp.events.publish import publish_on_commit
from webapp.events.registry import run_ended

ANSWER_CHARS: Final = 65_536
MESSAGE_CHARS: Final = 4_000
_OPEN_STEPS_BECOME: Final = {
    Run.Status.FINISHED: "cancelled",
    Run.Status.FAILED: "failed",
    Run.Status.CANCELLED: "cancelled",
    Run.Status.DEAD: "failed",
}


def end_run(
    run: Run,
    status: Run.Status,
    *,
    answer: str = "",
    code: str = "",
    message: str = "",
    is_retryable: bool = False,
    now: datetime | None = None,
) -> None:
    """Write the end of `run`, tell the apps above and, on commit, the browsers. Call it in a transaction that holds the row."""
    run.status = status
    run.answer = storable_text(answer, limit=ANSWER_CHARS)
    run.error_code = code[:60]
    run.error_message = storable_text(sentence(message), limit=MESSAGE_CHARS)
    run.is_retryable = is_retryable
    run.finished_at = now or timezone.now()
    run.lease_expires_at = None
    run.tokens_per_s = 0.0
    run.save(
        update_fields=[
            "status",
            "answer",
            "error_code",
            "error_message",
            "is_retryable",
            "finished_at",
            "lease_expires_at",
            "tokens_per_s",
        ]
    )
    run.steps.filter(status="running").update(status=_OPEN_STEPS_BECOME[status])
    run_ended(run)
    announce(run)


def announce(run: Run) -> None:
    """Tell the workspace, once the transaction commits, how the run stands now."""
    publish_on_commit(run.workspace_id, events.RunChanged(run_id=str(run.pk), run=selectors.summary(run)))
