"""What reviews answer: engine events, the end of runs, and the relay's clock."""

from __future__ import annotations

from webapp.agents.models import Run
from webapp.events.registry import (
    Prepared,
    on_engine_event,
    on_run_ended,
    on_run_prepared,
    on_run_queued,
    periodic,
)
from webapp.reviews import services
from workers.events import (
    ChangeProposed,
    EvidenceFinished,
    EvidenceInterrupted,
    EvidenceProgressed,
    ReviewCommented,
)

RECOVER_EVERY_S = 5.0


@on_engine_event(ChangeProposed)
def change_proposed(event: ChangeProposed) -> None:
    """A run offers a change set."""
    run = Run.objects.select_related("workspace", "change_set").filter(pk=event.run_id).first()
    if run is not None:
        services.open_review(run=run, proposal=event)


@on_engine_event(ReviewCommented)
def review_commented(event: ReviewCommented) -> None:
    """An agent has read a change set."""
    services.record_review(event)


@on_engine_event(EvidenceProgressed)
def evidence_progressed(event: EvidenceProgressed) -> None:
    """A command on a change set goes on."""
    services.record_evidence(event)


@on_engine_event(EvidenceFinished)
def evidence_finished(event: EvidenceFinished) -> None:
    """A command on a change set has ended."""
    services.record_evidence(event)


@on_engine_event(EvidenceInterrupted)
def evidence_interrupted(event: EvidenceInterrupted) -> None:
    """The process that ran a command on a change set is gone."""
    services.record_interrupted(event)


@on_run_prepared("reviewer")
def review_prepared(run: Run) -> Prepared:
    """A run of @reviewer is handed the change set that it is to read."""
    return services.prepare_review(run)


@on_run_prepared("tester")
def tests_prepared(run: Run) -> Prepared:
    """A run of @tester is handed the change that its goal names."""
    return services.prepare_tests(run)


@on_run_queued
def run_queued(run: Run) -> None:
    """An answering run takes the turn, also when it is tried again; a reading one is shown."""
    services.hand_turn(run)
    services.announce_reviewing(run)


@on_run_ended
def run_ended(run: Run) -> None:
    """An answering run that brought no revision gives the turn back."""
    services.return_turn(run)
    services.announce_reviewing(run)


@periodic(every_s=RECOVER_EVERY_S)
def settle_landings() -> None:
    """Called first when the relay starts, then on and on: open landings of dead processes are settled, then audited."""
    services.recover_open_intents()
    services.audit_landings()


@periodic(every_s=RECOVER_EVERY_S)
def reap_evidence() -> None:
    """Commands whose worker or whose doorbell is gone are rung for again, or say so."""
    services.reap_evidence()
