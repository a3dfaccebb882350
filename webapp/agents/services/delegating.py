"""Runs that other runs asked for: made once, with no more rights, time and money than their parent, and answered when they end.

A child begins with the files as its parent had made them (its newest checkpoint), else with what its parent began with. A child's
end and its parent's resumption are two transactions, so that locks are taken from parent to child only; `settle_children` is
called after the first and again by the relay's clock, and changes nothing the second time.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents import definitions, events, selectors
from webapp.agents.models import ModelProfile, Run, Step
from webapp.agents.plain import storable
from webapp.agents.services.recording import run_of
from webapp.agents.services.runs import Parentage, start_run, stop_run
from webapp.agents.services.suspending import resume_run
from webapp.errors import Conflict, Forbidden
from webapp.events.publish import publish_on_commit
from webapp.workspaces.access import includes, role_of
from webapp.workspaces.models import Role
from workers import events as engine
from workers.agents.delegating import REFUSED, Delegated, child_run_id
from workers.agents.lineage import CascadeContext, Spent, smaller
from workers.errors import PyAgentError
from workers.queue import Budget, Job
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
MAX_CHILDREN: Final = 64
"""Goals that one run may hand on: a loop must not fill the database even where nothing costs anything."""
ANSWER_CHARS: Final = 16_000
BATCH: Final = 200
LOST_AFTER_MS: Final = 30_000
"""A goal whose run is not there after so long was never told: its event could not be recorded."""
TIME_IS_OVER: Final = "Stopped, since the time of the run that asked for it is over"


def record_delegated(event: engine.RunDelegated) -> None:
    """A run hands a goal on: the other run is made, or the step says why not. Told again, nothing changes."""
    parent = run_of(event)
    if parent is None or parent.status == Run.Status.CANCELLING:
        return
    child_id = UUID(child_run_id(str(parent.pk), event.step_id))
    step = parent.steps.filter(step_id=event.step_id, status="running").first()
    if step is None or Run.objects.filter(pk=child_id).exists():
        return
    try:
        _start_child(parent, step, event, child_id)
    except PyAgentError as error:
        log.info("goal not handed on", run_id=str(parent.pk), step_id=event.step_id, code=error.code)
        result = Delegated(agent=event.agent, status=REFUSED, error=str(error))
        _finish_step(parent, step, result, duration_ms=0)


def _start_child(parent: Run, step: Step, event: engine.RunDelegated, child_id: UUID) -> None:
    """Raises PyAgentError: the person may not, or the lineage, the budget or the goal will not do."""
    person = parent.requested_by
    role = role_of(person, parent.workspace_id) if person is not None else None
    if person is None or role is None or not includes(role, Role.MEMBER):
        raise Forbidden("Who called the agent may call none here any more.")
    if parent.children.count() >= MAX_CHILDREN:
        raise Conflict(f"A run hands on {MAX_CHILDREN} goals at most.")
    asked = CascadeContext.from_dict(event.lineage)
    # What the worker says of the lineage is only a wish: ancestors, rights and what is left come from the rows.
    context = context_of(parent).child(
        run_id=str(child_id),
        agent=event.agent,
        goal=event.goal,
        left=smaller(asked.budget, budget_left(parent)),
        step_id=step.step_id,
        scope=asked.scope,
        deadline=asked.deadline,
    )
    start_run(
        workspace=parent.workspace,
        requested_by=person,
        agent=event.agent,
        goal=event.goal,
        base_commit=event.base_commit,
        model_profile=_profile_for(parent, event.agent, person),
        budget=context.budget,
        priority=parent.priority,
        parentage=Parentage(parent=parent, lineage=context),
    )


def _profile_for(parent: Run, agent: str, person: User) -> ModelProfile | None:
    """Return the parent's model, unless people gave the agent one of its own."""
    info = definitions.find_agent(agent, person, parent.workspace)
    has_own = info is not None and info.version is not None and info.version.model_profile_id is not None
    return None if has_own else parent.model_profile


def context_of(run: Run) -> CascadeContext:
    """Return the run's place among the runs that led to it."""
    return CascadeContext.of_job(Job(**{**run.job, "lineage": run.lineage}))


# --- the budget that a cascade shares ------------------------------------------------------------------------------


def budget_left(run: Run) -> Budget:
    """Return what `run` may still use or hand on: its budget without what was spent and what is set aside below it."""
    return _taken(run).left_of(Budget(**run.budget))


def _taken(run: Run) -> Spent:
    """Return what the run and all below it have spent, and what is set aside for those that are still at work."""
    taken = own_spending(run)
    for child in run.children.all():
        below = _taken(child)
        taken = taken + (below if child.is_final else _set_aside(below, Budget(**child.budget)))
    return taken


def _set_aside(spent: Spent, budget: Budget) -> Spent:
    return Spent(
        tokens=max(spent.tokens, budget.tokens or 0),
        seconds=max(spent.seconds, budget.seconds),
        cost_usd=None if spent.cost_usd is None else max(spent.cost_usd, budget.cost_usd or 0.0),
        known_usd=max(spent.known_usd, budget.cost_usd or 0.0),
    )


def own_spending(run: Run) -> Spent:
    """Return what the run itself has used, without the runs below it."""
    is_own = ~Q(kind="delegation") & ~Q(detail__has_key="taken_over_from")
    sums = run.steps.filter(is_own).aggregate(ms=Sum("duration_ms"), usd=Sum("cost_usd"))
    return Spent(
        tokens=run.input_tokens + run.output_tokens,
        seconds=(sums["ms"] or 0) / 1000,
        cost_usd=run.cost_usd,
        known_usd=(sums["usd"] or 0.0) if run.cost_usd is None else run.cost_usd,
    )


# --- what comes back -----------------------------------------------------------------------------------------------


def on_run_ended(run: Run) -> None:
    """Follow up a run's end, in its transaction: what it had handed on ends too, and who waits for it goes on."""
    for child in run.children.filter(status__in=selectors.ACTIVE).select_for_update().order_by("pk"):
        stop_run(child, f"Stopped with the run of @{run.agent} that asked for it")
    if (parent_id := run.parent_id) is not None:
        transaction.on_commit(lambda: settle_children(parent_id), robust=True)


def record_suspended(event: engine.RunSuspended) -> None:
    """A run waits for its children; they may have ended before it was written that it waits."""
    if event.reason == Run.SuspendReason.CHILDREN:
        run_id = UUID(event.run_id)
        transaction.on_commit(lambda: settle_children(run_id), robust=True)


@transaction.atomic
def settle_children(parent_id: UUID) -> None:
    """Give the parent the results of children that have ended; it goes on when it has what it waits for."""
    parent = Run.objects.select_for_update().filter(pk=parent_id).first()
    if parent is None or parent.is_final:
        return
    for step in parent.steps.filter(kind="delegation", status="running"):
        child = Run.objects.filter(pk=child_run_id(str(parent.pk), step.step_id)).first()
        if child is not None and child.is_final:
            _finish_step(parent, step, result_of(child), duration_ms=_lasted_ms(step))
        elif child is None and _lasted_ms(step) > LOST_AFTER_MS:
            lost = Delegated(
                agent=str(step.detail.get("agent", "")), status=REFUSED, error="It was never begun."
            )
            _finish_step(parent, step, lost, duration_ms=0)
    is_waiting = parent.status == Run.Status.SUSPENDED and parent.suspend_reason == Run.SuspendReason.CHILDREN
    if is_waiting and _may_go_on(parent):
        resume_run(run=parent)


def _may_go_on(parent: Run) -> bool:
    """Return whether all that the run waits for have ended, or one where one is enough."""
    open_count = parent.steps.filter(step_id__in=parent.waits_for, status="running").count()
    return open_count == 0 or (parent.waits_any and open_count < len(parent.waits_for))


def result_of(child: Run) -> Delegated:
    """Return what became of a run that has ended, for the one that asked for it."""
    used = _taken(child)
    offered = selectors.review_id(child)
    return Delegated(
        agent=child.agent,
        status=child.status,
        answer=child.answer[:ANSWER_CHARS],
        error=child.error_message,
        run_id=str(child.pk),
        change_set_id=offered,
        commit=_offered_commit(child) if offered else "",
        tokens=used.tokens,
        seconds=round(used.seconds, 3),
        cost_usd=used.cost_usd,
        known_usd=used.known_usd,
    )


def _offered_commit(child: Run) -> str:
    proposal = child.steps.filter(kind="proposal", status="ok").order_by("-seq").first()
    return str(proposal.detail.get("commit", "")) if proposal is not None else ""


def _lasted_ms(step: Step) -> int:
    return max(0, int((timezone.now() - step.started_at).total_seconds() * 1000))


def _finish_step(parent: Run, step: Step, result: Delegated, *, duration_ms: int) -> None:
    step.status = "ok" if result.is_ok else "failed"
    step.duration_ms = duration_ms
    step.detail = {**step.detail, "result": storable(asdict(result))}
    if result.error:
        step.detail["error"] = result.error
    step.save(update_fields=["status", "duration_ms", "detail"])
    news = events.StepFinished(
        run_id=str(parent.pk), step=selectors.step_row(step), totals=selectors.totals(parent)
    )
    publish_on_commit(parent.workspace_id, news)


def settle_waiting(*, now: float | None = None) -> None:
    """Find what no end has told: parents whose children have all ended, and children whose time is over."""
    waiting = Run.objects.filter(status=Run.Status.SUSPENDED, suspend_reason=Run.SuspendReason.CHILDREN)
    # Of a part of them, always the same would be looked at.
    for run_id in list(waiting.values_list("pk", flat=True)):
        settle_children(run_id)
    at_work = Run.objects.filter(status__in=selectors.ACTIVE, origin=Run.Origin.DELEGATION)
    late = at_work.filter(lineage__deadline__lt=time.time() if now is None else now)
    for run_id in list(late.exclude(status=Run.Status.CANCELLING).values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            run = Run.objects.select_for_update().get(pk=run_id)
            if not run.is_final:
                stop_run(run, TIME_IS_OVER)
