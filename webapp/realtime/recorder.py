"""Engine events become rows here: in order, once, and never by a worker that another has overtaken.

The transport may repeat, reorder and lose; `run_seq` and `fence` decide. An event that comes before its predecessor is
dropped, because the worker sends everything again that was not acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from django.db import transaction

from webapp.agents.models import Run
from webapp.events.registry import engine_handlers
from workers.events import Ack, EngineEvent
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
Outcome = Literal["recorded", "repeated", "early", "superseded", "unknown"]
# What a worker is told when its run is gone: no fence is higher, so it stops.
NO_RUN = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one event, and what its worker is to be told (nothing for a heartbeat)."""

    run_id: str
    outcome: Outcome
    ack: Ack | None


@transaction.atomic
def record_batch(events: Sequence[EngineEvent]) -> list[Recorded]:
    """Write a batch in one transaction and return what became of each event, in order.

    Raises:
        Exception: what a handler or the database raises; then nothing of the batch is written.
    """
    runs = _lock_runs(events)
    results = [_record(runs, event) for event in events]
    for run in runs.values():
        # Only this column: the handlers have written the others.
        Run.objects.filter(pk=run.pk).exclude(last_seq=run.last_seq).update(last_seq=run.last_seq)
    return results


@transaction.atomic
def skip_event(event: EngineEvent) -> Recorded:
    """Count an event that cannot be recorded as seen, so that its worker goes on to the next."""
    runs = _lock_runs([event])
    run = runs.get(event.run_id)
    if run is None or event.fence < run.fence or event.run_seq != run.last_seq + 1:
        return _record(runs, event, is_skipped=True)
    Run.objects.filter(pk=run.pk).update(last_seq=event.run_seq)
    return Recorded(event.run_id, "recorded", Ack(seq=event.run_seq))


def _lock_runs(events: Sequence[EngineEvent]) -> dict[str, Run]:
    """Return the runs by the id that their events carry, locked in one order, so that two recorders never block each other."""
    keys: dict[str, UUID] = {}
    for event in events:
        try:
            keys[event.run_id] = UUID(event.run_id)
        except ValueError:
            continue
    rows = {
        run.pk: run
        for run in Run.objects.select_for_update().filter(pk__in=set(keys.values())).order_by("pk")
    }
    return {run_id: rows[key] for run_id, key in keys.items() if key in rows}


def _record(runs: dict[str, Run], event: EngineEvent, *, is_skipped: bool = False) -> Recorded:
    if not event.is_of_run:
        if not is_skipped:
            _handle(event)
        return Recorded(event.run_id, "recorded", None)
    run = runs.get(event.run_id)
    if run is None:
        return Recorded(event.run_id, "unknown", Ack(superseded=NO_RUN))
    if event.fence < run.fence:
        return Recorded(event.run_id, "superseded", Ack(superseded=run.fence))
    is_known = event.run_seq and event.run_seq <= run.last_seq
    if event.fence > run.fence or (run.is_final and not is_known):
        return Recorded(event.run_id, "superseded", Ack(superseded=event.fence + 1))
    if event.run_seq == 0:
        if not is_skipped:
            _handle(event)
        return Recorded(event.run_id, "recorded", None)
    if is_known:
        return Recorded(event.run_id, "repeated", Ack(seq=run.last_seq))
    if event.run_seq > run.last_seq + 1:
        log.info(
            "event came early; its worker sends again",
            run_id=event.run_id,
            run_seq=event.run_seq,
            last_seq=run.last_seq,
        )
        return Recorded(event.run_id, "early", Ack(seq=run.last_seq) if run.last_seq else None)
    _handle(event)
    run.last_seq = event.run_seq
    return Recorded(event.run_id, "recorded", Ack(seq=event.run_seq))


def _handle(event: EngineEvent) -> None:
    for handler in engine_handlers(event):
        handler(event)
