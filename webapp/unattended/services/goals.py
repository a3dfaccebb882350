"""Goals are set and stopped. What happens between stands in `rounds`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents import choosing
from webapp.agents.models import Run
from webapp.agents.plain import storable_text
from webapp.agents.services.runs import model_of_call, stop_run
from webapp.errors import Conflict, Invalid
from webapp.reviews import services as reviews
from webapp.reviews.models import Evidence
from webapp.unattended.models import Act, Goal, Round
from webapp.unattended.services import calling
from webapp.unattended.services.acts import record
from webapp.unattended.services.calling import CallingFields
from webapp.workspaces.models import Workspace
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
State = Goal.State
COMMAND_CHARS: Final = 4_000
CRITERIA_CHARS: Final = 6_000
GOAL_CHARS: Final = 8_000
"""With what a check says, it still fits into what a run is given."""
MAX_ROUNDS: Final = 50
MAX_TOKENS: Final = 1_000_000_000
MAX_SECONDS: Final = 7 * 24 * 3600
MAX_COST_USD: Final = 1_000_000
MAX_AT_WORK: Final = 10
READERS: Final = ("auditor", "reviewer")
"""Agents that change nothing, and so bring no goal nearer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How the goal is checked, and what it may use up in all."""

    command: str = ""
    criteria: str = ""
    max_rounds: int = 5
    max_tokens: int | None = 2_000_000
    max_cost_usd: float | None = None
    max_seconds: int = 4 * 3600


def _check(limits: Limits) -> None:
    if not limits.command.strip() and not limits.criteria.strip():
        raise Invalid(
            "Say how to check it: a command that must succeed, or what the auditor judges by.",
            field="command",
        )
    bounds: tuple[tuple[str, float | None, float, float], ...] = (
        ("command", len(limits.command), 0, COMMAND_CHARS),
        ("criteria", len(limits.criteria), 0, CRITERIA_CHARS),
        ("max_rounds", limits.max_rounds, 1, MAX_ROUNDS),
        ("max_tokens", limits.max_tokens, 1, MAX_TOKENS),
        ("max_cost_usd", limits.max_cost_usd, 0.01, MAX_COST_USD),
        ("max_seconds", limits.max_seconds, 1, MAX_SECONDS),
    )
    for name, value, least, most in bounds:
        if value is not None and not least <= value <= most:
            raise Invalid(f"{name.replace('_', ' ').capitalize()}: {least:,} to {most:,}.", field=name)


@transaction.atomic
def set_goal(*, workspace: Workspace, set_by: User, given: CallingFields, limits: Limits) -> Goal:
    """Return the new goal; its first round begins within seconds, by the relay's clock.

    Raises:
        Invalid, NotFound, Forbidden: as `calling.fill`; or there is no check, a limit is out of bounds, the agent changes
            nothing, or dollars are limited and the price of the model is not known; `field` names it.
        Conflict: too many goals are at work.
    """
    _check(limits)
    if Goal.objects.filter(workspace=workspace, state=State.WORKING).count() >= MAX_AT_WORK:
        raise Conflict(
            f"A workspace has {MAX_AT_WORK} goals at work at most. Wait for one to end, or stop one."
        )
    goal = Goal(workspace=workspace)
    info = calling.fill(goal, given, by=set_by)
    if given.agent in READERS:
        raise Invalid(f"@{given.agent} changes nothing; choose an agent that does.", field="agent")
    if not goal.goal or len(goal.goal) > GOAL_CHARS:
        raise Invalid(f"Say what is to be reached, in at most {GOAL_CHARS:,} characters.", field="goal")
    profile = model_of_call(info, calling.profile_of(goal), requested_by=set_by, workspace=workspace)
    if limits.max_cost_usd is not None and choosing.choice_of(profile, workspace).price is None:
        raise Invalid(
            "The price of this model is not known, so its dollars cannot be limited.", field="max_cost_usd"
        )
    goal.command, goal.criteria = (storable_text(text.strip()) for text in (limits.command, limits.criteria))
    goal.max_rounds, goal.max_seconds = limits.max_rounds, limits.max_seconds
    goal.max_tokens, goal.max_cost_usd = limits.max_tokens, limits.max_cost_usd
    goal.save()
    record(goal, Act.Verb.MADE, by=set_by)
    return goal


def locked_goal(goal_id: int) -> Goal | None:
    """Return the goal for a change of it. Call it in a transaction."""
    rows = Goal.objects.select_for_update(of=("self",))
    return rows.select_related("workspace", "owner", "channel", "change_set").filter(pk=goal_id).first()


def end_goal(goal: Goal, state: str, note: str, *, by: User | None = None) -> None:
    """Write how a locked goal ends. What it proposes stays in its review."""
    goal.state, goal.note, goal.ended_at = state, note, timezone.now()
    goal.save()
    goal.rounds.exclude(stage=Round.Stage.DONE).update(stage=Round.Stage.DONE, ended_at=goal.ended_at)
    words = goal.get_state_display().lower()
    record(goal, Act.Verb.STOPPED if by else Act.Verb.ENDED, by=by, note="" if by else f"{words}: {note}")


@transaction.atomic
def stop_goal(*, goal: Goal, stopped_by: User) -> Goal:
    """Return the goal, stopped with whatever its round is at; what it proposes by then stays in its review.

    Raises:
        Conflict: it has ended already.
    """
    locked = locked_goal(goal.pk)
    if locked is None or locked.is_ended:
        raise Conflict("This goal has come to its end already.")
    end_goal(locked, State.STOPPED, f"Stopped by {stopped_by}.", by=stopped_by)
    stop_work(locked, f"Stopped by {stopped_by}")
    return locked


def stop_work(goal: Goal, reason: str) -> None:
    """Stop what the last round of an ended goal is at; `reason` says who or what does, without a full stop. In a transaction."""
    last = goal.rounds.select_related("run", "audit", "evidence__revision__change_set").last()
    if last is None:
        return
    for run in (last.run, last.audit):
        if run is not None and not run.is_final:
            stop_run(Run.objects.select_for_update().get(pk=run.pk), reason)
    if last.evidence is not None and last.evidence.status == Evidence.Status.RUNNING:
        try:
            reviews.cancel_evidence(evidence=last.evidence)
        except Conflict as error:  # the queue is away; the command ends by its own limit of time
            log.warning("a goal's command is not stopped", evidence_id=last.evidence.pk, error=str(error))


@transaction.atomic
def delete_goal(*, goal: Goal, deleted_by: User) -> None:
    """Take an ended goal away; its runs and its review stay.

    Raises:
        Conflict: it is at work.
    """
    locked = locked_goal(goal.pk)
    if locked is None or not locked.is_ended:
        raise Conflict("This goal is at work. Stop it first.")
    calling.delete(locked, deleted_by=deleted_by)
