"""Starting, stopping and retrying runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

import redis
from django.db import transaction

from webapp.accounts.models import User
from webapp.agents import choosing, definitions, events, selectors
from webapp.agents.access import priorities_for
from webapp.agents.budgets import check_budget, default_budget
from webapp.agents.definitions import AgentInfo
from webapp.agents.models import ModelProfile, Run
from webapp.agents.plain import storable, storable_text
from webapp.agents.services.attaching import attached
from webapp.agents.services.ending import announce, end_run
from webapp.agents.services.launching import launch, new_job
from webapp.errors import Conflict, Invalid
from webapp.events.publish import publish_on_commit
from webapp.events.registry import prepare_run, run_queued
from webapp.workspaces.access import role_of
from webapp.workspaces.models import Workspace
from workers import queue
from workers.agents.attachments import named_in
from workers.agents.lineage import CascadeContext
from workers.errors import UnknownAgent
from workers.queue import PRIORITIES, Budget
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
GOAL_CHARS: Final = 20_000
CONVERSATION_MESSAGES: Final = 30
CONVERSATION_CHARS: Final = 4_000
MAX_ACTIVE_RUNS: Final = 50
"""Runs that one person may have queued or running in a workspace at once: a loop in a client must not fill the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parentage:
    """Where a run comes from that another run asked for: it has the id, and no more, of what its lineage says."""

    parent: Run
    lineage: CascadeContext


def _conversation(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [
        {
            "author": storable_text(message["author"], limit=80),
            "text": storable_text(message["text"], limit=CONVERSATION_CHARS),
        }
        for message in messages[-CONVERSATION_MESSAGES:]
    ]


@transaction.atomic
def start_run(
    *,
    workspace: Workspace,
    requested_by: User,
    agent: str,
    goal: str,
    conversation: Sequence[Mapping[str, str]] = (),
    change_set: Any = None,
    revision: Mapping[str, Any] | None = None,
    base_commit: str = "",
    retry_of: Run | None = None,
    model_profile: ModelProfile | None = None,
    budget: Budget | None = None,
    priority: str = "standard",
    parentage: Parentage | None = None,
    origin: str = Run.Origin.PERSON,
    attachments: Sequence[str] = (),
) -> Run:
    """Return the queued run; once the transaction commits, its base is fixed, its job written and the engine rung for.

    Args:
        goal: What the person wrote, without the agent's name.
        conversation: The last messages of the topic before the goal, each with `author` and `text`.
        change_set: The `reviews.ChangeSet` whose comments the run answers; its result is a new revision of it.
        revision: For such a run: change_set_id, revision, commit, comments, rejected hunks.
        base_commit: Commit to work on; empty means a snapshot of the checkout with what is not yet committed.
        model_profile: Model to run on, from `access.profile_to_run_on`; the default one when None.
        budget: Where it stops; the workspace's default when None.
        parentage: The run that delegates this one; None for one that a person asks for.
        origin: What called the agent, when no person did; it runs with the rights of `requested_by` all the same.
        attachments: Files of the workspace that come with the goal; pictures, recordings and documents that it names do too.

    Raises:
        UnknownAgent: no agent has this name.
        Invalid: the goal is empty for an agent that needs words, or far too long, there is no such priority, or a limit is none.
        Conflict: the person has too many runs at work, or the workspace is not ready.
        NotFound: what the agent is to work on is not there.
        InvalidAttachment: a file that is to come with the goal is absent, too large, or of a kind that no model reads.
    """
    info = _agent_to_call(agent, goal, requested_by=requested_by, workspace=workspace)
    _check_room(priority, requested_by=requested_by, workspace=workspace)
    budget = budget or _budget_of(info) or default_budget(workspace)
    check_budget(budget)
    profile = model_of_call(info, model_profile, requested_by=requested_by, workspace=workspace)
    run = Run(
        workspace=workspace,
        requested_by=requested_by,
        agent=agent,
        agent_version=info.version,
        goal=storable_text(goal.strip()),
        priority=priority,
        retry_of=retry_of,
        change_set=change_set,
        base_commit=base_commit,
        model_profile=profile,
        model_choice=choosing.choice_of(profile, workspace).to_dict(),
        model_label=choosing.label_of(profile) if info.needs_model else choosing.NO_MODEL_LABEL,
        budget=asdict(budget),
        cost_usd=0.0,
        **(_descent(parentage) if parentage is not None else {"origin": origin}),
    )
    _record(run, info, goal, conversation=conversation, revision=revision, attachments=attachments)
    _submit(run)
    return run


def _agent_to_call(agent: str, goal: str, *, requested_by: User, workspace: Workspace) -> AgentInfo:
    """Return the agent of this name, once the goal suits it."""
    info = definitions.find_agent(agent, requested_by, workspace)
    if info is None:
        names = ", ".join(f"@{name}" for name in definitions.agent_names(requested_by, workspace))
        raise UnknownAgent(f"There is no agent named @{agent}. There are {names}.")
    if (info.needs_goal and not goal.strip()) or len(goal) > GOAL_CHARS:
        raise Invalid(f"Tell @{agent} what to do, in at most {GOAL_CHARS:,} characters.")
    return info


def _check_room(priority: str, *, requested_by: User, workspace: Workspace) -> None:
    """Let pass a run that the workspace and its person's other runs leave room for."""
    if priority not in PRIORITIES:
        raise Invalid(f"The priority is one of {', '.join(PRIORITIES)}.")
    if workspace.state != Workspace.State.READY:
        raise Conflict("This workspace is not ready yet.", state=workspace.state)
    active = Run.objects.filter(
        workspace=workspace, requested_by=requested_by, status__in=selectors.ACTIVE
    ).count()
    if active >= MAX_ACTIVE_RUNS:
        raise Conflict(f"You have {MAX_ACTIVE_RUNS} runs at work here. Wait for one to end, or stop one.")


def model_of_call(
    info: AgentInfo, asked_for: ModelProfile | None, *, requested_by: User, workspace: Workspace
) -> ModelProfile | None:
    """Return the model that the run begins on; None for the default one, and for an agent that needs none."""
    profile = asked_for or choosing.profile_of(info.name, info.version, requested_by, workspace)
    return profile if info.needs_model else None


def _record(
    run: Run,
    info: AgentInfo,
    goal: str,
    *,
    conversation: Sequence[Mapping[str, str]],
    revision: Mapping[str, Any] | None,
    attachments: Sequence[str],
) -> None:
    """Write the run with its base and its job."""
    prepared = prepare_run(run)
    run.base_commit = prepared.base_commit or run.base_commit
    run.job = {
        **new_job(
            run,
            conversation=_conversation(conversation),
            revision_of=storable(dict(revision)) if revision is not None else None,
            credential=choosing.credential_ref(run.model_profile),
            definition=definitions.job_definition(info),
        ),
        "attachments": attached(run.workspace, attachments, named=named_in(goal)) if info.needs_model else [],
        **prepared.job,
    }
    run.save(force_insert=True)


def _submit(run: Run) -> None:
    """Tell the workspace of the run; once the transaction commits, hand it to the engine."""
    run_queued(run)
    publish_on_commit(run.workspace_id, events.RunQueued(run_id=str(run.pk), run=selectors.summary(run)))
    transaction.on_commit(lambda: launch(run.pk), robust=True)
    log.info(
        "run queued",
        run_id=str(run.pk),
        workspace_id=run.workspace_id,
        agent=run.agent,
        model=run.model_label,
    )


def _budget_of(info: AgentInfo) -> Budget | None:
    """Return where the runs of an agent stop that people gave a budget of its own."""
    return Budget(**info.version.budget) if info.version is not None and info.version.budget else None


def _descent(parentage: Parentage) -> dict[str, Any]:
    lineage = parentage.lineage
    return {
        "pk": UUID(lineage.run_id),
        "origin": Run.Origin.DELEGATION,
        "parent": parentage.parent,
        "parent_step": lineage.parent_step,
        "lineage": lineage.to_dict(),
    }


def tell_worker_to_stop(run: Run) -> None:
    """Put up the sign that the worker looks for. With Redis away it is put up later by `leases.reap`."""
    try:
        queue.cancel_run(str(run.pk))
    except (redis.RedisError, OSError) as error:
        log.warning("stop sign not put up; it is tried again", run_id=str(run.pk), error=str(error))


@transaction.atomic
def cancel_run(*, run: Run, cancelled_by: User) -> Run:
    """Return the run, stopped at once when no worker has it, else asked to stop at its next token or step.

    Raises:
        Conflict: it has ended already.
    """
    run = Run.objects.select_for_update().get(pk=run.pk)
    if run.is_final:
        raise Conflict(f"This run has ended already: {run.get_status_display().lower()}.", status=run.status)
    stop_run(run, f"Stopped by {cancelled_by}")
    log.info("run cancelled", run_id=str(run.pk), by=cancelled_by.pk)
    return run


@transaction.atomic
def stop_runs_of(user_id: int, workspace_id: int | None) -> None:
    """Stop the runs of a person who may call agents no more, in one workspace or (None) in all: an agent has no more rights."""
    runs = Run.objects.filter(requested_by_id=user_id, status__in=selectors.ACTIVE)
    found = runs if workspace_id is None else runs.filter(workspace_id=workspace_id)
    # From parents to children, each read when its turn comes: the end of one ends those below it.
    for run_id in list(found.order_by("created_at").values_list("pk", flat=True)):
        run = Run.objects.select_for_update().get(pk=run_id)
        if run.is_final:
            continue
        stop_run(run, "Stopped, since who called the agent may call none here any more")
        log.info("run stopped with its person's rights", run_id=str(run.pk), user_id=user_id)


def stop_run(run: Run, reason: str) -> None:
    """End a run that no worker has, or ask its worker to stop. Call it in a transaction that holds the row.

    Args:
        reason: Who or what stops it, without a full stop.
    """
    if run.status in (Run.Status.QUEUED, Run.Status.SUSPENDED):
        # A worker may be taking it at this very moment: a higher fence makes its events void, the sign makes it stop.
        run.fence += 1
        run.save(update_fields=["fence"])
        end_run(
            run,
            Run.Status.CANCELLED,
            code="run_cancelled",
            message=f"{reason}, before it began."
            if run.started_at is None
            else f"{reason}, while it was suspended.",
            is_retryable=True,
        )
    elif run.status in (Run.Status.RUNNING, Run.Status.SUSPENDING):
        run.status = Run.Status.CANCELLING
        run.error_message = f"{reason}."
        run.save(update_fields=["status", "error_message"])
        announce(run)
    transaction.on_commit(lambda: tell_worker_to_stop(run), robust=True)


def retry_run(*, run: Run, requested_by: User) -> Run:
    """Return a new run with the same goal, conversation and model if the person may use it, on the files as they are now.

    Raises:
        Conflict: the run has not ended yet, or it ended well.
    """
    if not run.is_final or run.status == Run.Status.FINISHED:
        raise Conflict(
            "Only a run that failed, was stopped or given up can be tried again.", status=run.status
        )
    has_revision = run.job.get("revision_of") is not None
    return start_again(
        run, requested_by=requested_by, goal=run.goal, base_commit=run.base_commit if has_revision else ""
    )


def start_again(run: Run, *, requested_by: User, goal: str, base_commit: str) -> Run:
    """Return a new run like this one, in the name of who asks for it, as urgent as they may make it. Raises as `start_run`."""
    is_own = run.requested_by_id == requested_by.pk
    allowed = priorities_for(role_of(requested_by, run.workspace_id))
    profile = run.model_profile
    if profile is not None and profile.user_id is not None and not is_own:
        profile = None  # another person's key is theirs: the one who tries again brings their own model
    return start_run(
        workspace=run.workspace,
        requested_by=requested_by,
        agent=run.agent,
        goal=goal,
        conversation=run.job.get("conversation", []),
        change_set=run.change_set,
        revision=run.job.get("revision_of"),
        base_commit=base_commit,
        retry_of=run,
        model_profile=profile,
        budget=Budget(**run.budget) if run.budget else None,
        priority=run.priority if run.priority in allowed else "standard",
        attachments=[item["path"] for item in run.job.get("attachments", ())],
    )
