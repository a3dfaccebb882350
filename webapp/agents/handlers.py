"""What this app answers: engine events, and the housekeeping of leases. Loaded when Django starts."""

from __future__ import annotations

from django.utils import timezone

from webapp.agents import leases
from webapp.agents.services import (
    approving,
    delegating,
    losing,
    recording,
    steering,
    stop_runs_of,
    suspending,
    teaching,
)
from webapp.events.registry import on_engine_event, on_rights_lost, on_run_ended, periodic
from workers import events as engine

on_rights_lost(stop_runs_of)
on_run_ended(delegating.on_run_ended)
on_engine_event(engine.RunStarted)(recording.record_started)
on_engine_event(engine.Heartbeat)(recording.record_heartbeat)
on_engine_event(engine.StepStarted)(recording.record_step_started)
on_engine_event(engine.StepFinished)(recording.record_step_finished)
on_engine_event(engine.ChangeProposed)(recording.record_proposed)
on_engine_event(engine.ReviewCommented)(recording.record_proposed)
on_engine_event(engine.RunFinished)(recording.record_finished)
on_engine_event(engine.RunFailed)(recording.record_failed)
on_engine_event(engine.RunStopped)(recording.record_stopped)
on_engine_event(engine.RunSuspended)(suspending.record_suspended)
on_engine_event(engine.RunSuspended)(delegating.record_suspended)
on_engine_event(engine.RunDelegated)(delegating.record_delegated)
on_engine_event(engine.LessonObserved)(teaching.record_lesson)
on_engine_event(engine.ApprovalAsked)(approving.record_asked)
on_engine_event(engine.SteeringTaken)(steering.record_taken)
on_engine_event(engine.RunInterrupted)(losing.record_interrupted)


@periodic(every_s=2.0)
def reap_leases() -> None:
    """Find lost and forgotten runs and ring for them again."""
    leases.keeper.reap()


@periodic(every_s=2.0)
def settle_delegations() -> None:
    """Let runs go on whose children have all ended, stop those whose time is over, and ring for notes again."""
    delegating.settle_waiting()
    steering.ring_again(now=timezone.now())
