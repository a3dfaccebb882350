"""What unattended work answers: the relay's clock, the end of runs, people who lose their rights, and keys that are revoked."""

from __future__ import annotations

from webapp.agents.models import Run
from webapp.events.registry import on_key_revoked, on_rights_lost, on_run_ended, periodic
from webapp.unattended.services import delivering, firing, rights, rounds

on_rights_lost(rights.stop_unattended_of)
on_key_revoked(rights.stop_unattended_by)


@on_run_ended
def run_ended(run: Run) -> None:
    """A run has ended that a schedule or a webhook started, perhaps."""
    if run.origin == Run.Origin.SCHEDULE:
        firing.note_ended(run)
    elif run.origin == Run.Origin.WEBHOOK:
        delivering.note_ended(run)
    elif run.origin == Run.Origin.GOAL:
        rounds.note_ended(run)


@periodic(every_s=1.0)
def fire_schedules() -> None:
    """Start what is due, and what has waited long enough."""
    firing.fire_due()
    firing.start_waiting()


@periodic(every_s=2.0)
def advance_goals() -> None:
    """Take the next step of each goal at work: a command has ended, a run was missed, or a round is to begin."""
    rounds.advance_goals()


@periodic(every_s=3600.0)
def prune() -> None:
    """Forget what is too old to be of use."""
    firing.prune_firings()
    delivering.prune_deliveries()
