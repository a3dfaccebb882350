"""The goal loop: a round of work, the check, and what follows from it.

All of it stands in rows. `advance` looks at a goal and takes the one step that is due; it is called when a run ends and by the
relay's clock, and changes nothing when nothing is due. So it goes on after whatever process died, from where the rows stand.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from webapp.agents.models import Run
from webapp.agents.plain import sentence, storable_text
from webapp.errors import Conflict, Forbidden
from webapp.markdown import render
from webapp.reviews import services as reviews
from webapp.reviews.models import ChangeSet, Evidence, ReviewComment, Revision
from webapp.unattended.models import Goal, Round
from webapp.unattended.services import calling
from webapp.unattended.services.acts import announce
from webapp.unattended.services.goals import end_goal, locked_goal, stop_work
from webapp.unattended.spending import exceeded, next_budget, spent_on
from workers.agents.auditor.core import is_reached
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
State, Stage = Goal.State, Round.Stage
AUDITOR: Final = "auditor"
MAX_AUDITS: Final = 3
WORDS_CHARS: Final = 6_000
OUTPUT_CHARS: Final = 4_000
BATCH: Final = 100
NOTHING_CHANGED: Final = "The round changed no file."


def advance_goals() -> None:
    """Take the step that is due for each goal at work; of very many, for some each time, at random: none waits for ever."""
    at_work = Goal.objects.filter(state=State.WORKING).order_by("?")
    for goal_id in list(at_work.values_list("pk", flat=True)[:BATCH]):
        advance(goal_id)


def note_ended(run: Run) -> None:
    """A run of a goal has ended: what follows is done once this is committed."""
    found = Round.objects.filter(Q(run=run) | Q(audit=run)).exclude(stage=Stage.DONE).first()
    if found is not None:
        transaction.on_commit(partial(advance, found.goal_id), robust=True)


@transaction.atomic
def advance(goal_id: int) -> None:
    """Take the step that is due for this goal, if one is."""
    goal = locked_goal(goal_id)
    if goal is None or goal.is_ended:
        return
    last = goal.rounds.select_related("run", "evidence", "audit", "revision").last()
    try:
        with transaction.atomic():
            if last is None or last.stage == Stage.DONE:
                _begin(goal, last)
            elif _is_at_work(last):
                _watch_time(goal)
            elif last.stage == Stage.WORK:
                _after_work(goal, last)
            elif last.stage == Stage.COMMAND:
                _after_command(goal, last)
            else:
                _after_audit(goal, last)
    except Conflict as error:
        # Somebody runs a command on the change set, or has as many runs at work as they may: tried again by the clock.
        log.info("a goal waits", goal_id=goal_id, reason=str(error))
    except Forbidden as error:
        end_goal(goal, State.STOPPED, sentence(str(error)))
    except PyAgentError as error:
        log.warning("a goal failed", goal_id=goal_id, code=error.code, error=str(error))
        end_goal(goal, State.FAILED, sentence(str(error)))


def _is_at_work(last: Round) -> bool:
    """Return whether the round's run, command or audit has not ended."""
    if last.stage == Stage.COMMAND:
        return last.evidence is not None and last.evidence.status == Evidence.Status.RUNNING
    run = last.run if last.stage == Stage.WORK else last.audit
    return run is not None and not run.is_final


def _watch_time(goal: Goal) -> None:
    """End a goal whose time is over while its round is at work: a run waits for slots and people, a command has its own limit."""
    spent = spent_on(goal, now=timezone.now())
    if spent.seconds >= goal.max_seconds:
        end_goal(
            goal,
            State.OUT_OF_BUDGET,
            f"{exceeded(goal, spent, is_between=False)} What was at work is stopped.",
        )
        stop_work(goal, "Stopped, since the time of its goal is over")


# --- a round begins --------------------------------------------------------------------------------------------------


def _begin(goal: Goal, before: Round | None) -> None:
    if not _is_open(goal):
        return
    spent = spent_on(goal, now=timezone.now())
    if over := exceeded(goal, spent):  # time passes while nobody is there to look
        end_goal(goal, State.OUT_OF_BUDGET, over)
        return
    words = before.words if before is not None else ""
    told = f"{goal.goal}\n\nWhat was said about your last round:\n{words}" if words else goal.goal
    more: dict[str, Any] = {}
    if goal.change_set is not None:
        more = _on_top_of(goal.change_set, told, words)
    run = calling.call(goal, origin=Run.Origin.GOAL, goal=told, budget=next_budget(goal, spent), **more)
    Round.objects.create(goal=goal, number=spent.rounds + 1, run=run)
    announce(goal)


def _is_open(goal: Goal) -> bool:
    """Return whether the next round can build on the change set; people who have decided about it have ended the goal."""
    change_set = goal.change_set
    if change_set is None or change_set.status in (ChangeSet.Status.OPEN, ChangeSet.Status.LANDING):
        return True
    words = change_set.get_status_display().lower()
    end_goal(goal, State.STOPPED, f"People have decided about its change set: it is {words}.")
    return False


def _on_top_of(change_set: ChangeSet, told: str, words: str) -> dict[str, Any]:
    """Return what makes a run bring the next revision. What the check said stands in the review too."""
    revision = change_set.revisions.latest("number")
    comments = []
    if words:
        remark = ReviewComment.objects.create(
            change_set=change_set,
            revision=revision,
            agent=AUDITOR,
            kind=ReviewComment.Kind.NOTE,
            text=words,
            html=render(words).html,
            is_sent=True,
        )
        comments.append(
            {"id": remark.pk, "kind": remark.kind, "path": "", "line": None, "code": "", "text": words}
        )
    return {
        "change_set": change_set,
        "base_commit": revision.base_commit,
        "revision": {
            "change_set_id": change_set.pk,
            "revision": revision.number,
            "commit": revision.commit,
            "title": change_set.title,
            "goal": told,
            "comments": comments,
            "rejected": [],
        },
    }


# --- after the work --------------------------------------------------------------------------------------------------


def _after_work(goal: Goal, last: Round) -> None:
    run = last.run
    if run is None:
        end_goal(goal, State.FAILED, "The run of its last round is gone.")
        return
    if run.status == Run.Status.CANCELLED:
        end_goal(goal, State.STOPPED, sentence(run.error_message or "Its run was stopped."))
        return
    _note_change(goal, last, run)
    if not _is_open(goal):
        return
    if run.status != Run.Status.FINISHED and not last.is_changed and not run.is_retryable:
        end_goal(goal, State.FAILED, f"Its run failed: {run.error_message}")
    elif _is_in_vain(goal, last, run):
        failure = "" if run.status == Run.Status.FINISHED else f" Its run failed: {run.error_message}"
        _conclude(goal, last, is_good=False, words=NOTHING_CHANGED + failure)
    elif goal.command:
        _run_command(goal, last, run)
    else:
        _ask_auditor(goal, last)


def _is_in_vain(goal: Goal, last: Round, run: Run) -> bool:
    """Return whether there is nothing to check: no change for two rounds, or none at all by a run that failed."""
    is_idle = not last.is_changed and _was_idle(goal, last)
    return is_idle or (last.revision is None and bool(goal.command) and run.status != Run.Status.FINISHED)


def _note_change(goal: Goal, last: Round, run: Run) -> None:
    """Note what is proposed after the round, and whether that is something else than before it."""
    if goal.change_set is None:
        goal.change_set = ChangeSet.objects.filter(run=run).first()
        goal.save(update_fields=["change_set", "updated_at"])
    newest: Revision | None = (
        goal.change_set.revisions.order_by("-number").first() if goal.change_set is not None else None
    )
    before = (
        goal.rounds.filter(number__lt=last.number, revision__isnull=False).select_related("revision").last()
    )
    last.revision = newest
    last.is_changed = newest is not None and (
        before is None or before.revision is None or newest.tree != before.revision.tree
    )
    last.save(update_fields=["revision", "is_changed"])
    if goal.change_set is not None:
        # The round has answered what the check before it said.
        goal.change_set.comments.filter(agent=AUDITOR, parent=None, resolved_at=None).update(
            resolved_at=timezone.now()
        )


def _was_idle(goal: Goal, last: Round) -> bool:
    before = goal.rounds.filter(number=last.number - 1).first()
    return before is not None and not before.is_changed


# --- the check -------------------------------------------------------------------------------------------------------


def _run_command(goal: Goal, last: Round, run: Run) -> None:
    """Check what is proposed; where nothing is, the files as the agent found them: the goal may have been reached before."""
    change_set, owner = goal.change_set, calling.check_rights(goal)
    if change_set is None:
        last.evidence = reviews.run_on_commit(
            workspace=goal.workspace, commit=run.base_commit, requested_by=owner, command=goal.command
        )
    else:
        change_set.workspace = goal.workspace
        last.evidence = reviews.run_tests_on_accepted(
            change_set=change_set, requested_by=owner, command=goal.command, is_whole=True
        )
    _move(goal, last, Stage.COMMAND)


def _after_command(goal: Goal, last: Round) -> None:
    evidence = last.evidence
    status = evidence.status if evidence is not None else Evidence.Status.LOST
    if evidence is None or status == Evidence.Status.LOST:
        note = evidence.note if evidence is not None else "its row is gone."
        end_goal(goal, State.FAILED, f"The command could not be run: {note}")
    elif status == Evidence.Status.CANCELLED:
        end_goal(goal, State.STOPPED, "Somebody stopped the command that checks it.")
    elif status == Evidence.Status.FAILED:
        _conclude(goal, last, is_good=False, words=_command_words(evidence))
    elif status == Evidence.Status.PASSED and goal.criteria:
        _ask_auditor(goal, last)
    elif status == Evidence.Status.PASSED:
        already = "" if last.revision is not None else " Nothing had to change for it."
        _conclude(goal, last, is_good=True, words=f"`{goal.command}` succeeds.{already}")


def _command_words(evidence: Evidence) -> str:
    ended = evidence.note or f"exit code {evidence.exit_code}"
    output = storable_text(evidence.output, limit=OUTPUT_CHARS)
    return f"`{evidence.command}` must succeed, and it does not ({ended}):\n{output}"


def _ask_auditor(goal: Goal, last: Round) -> None:
    spent = spent_on(goal, now=timezone.now())
    if over := exceeded(goal, spent, is_between=False):
        end_goal(goal, State.OUT_OF_BUDGET, f"{over} What was done last is not judged.")
        return
    revision, run = last.revision, last.run
    paths = ", ".join(file["path"] for file in revision.files) if revision is not None else ""
    said = run.answer if run is not None else ""
    parts = [
        f"The goal: {goal.goal}",
        f"It is reached when: {goal.criteria or goal.goal}",
        "Files that were changed for it: " + (storable_text(paths, limit=2_000) or "none"),
        "Whoever did the work says (a claim, no proof):\n" + storable_text(said, limit=2_000),
    ]
    if last.evidence is not None:
        parts.append(f"`{last.evidence.command}` was run on it and succeeded.")
    # Without a change the files are judged as they were: the goal may have been reached before.
    commit = revision.commit if revision is not None else run.base_commit if run is not None else ""
    last.audit = calling.call(
        goal,
        origin=Run.Origin.GOAL,
        agent=AUDITOR,
        goal="\n\n".join(parts),
        base_commit=commit,
        budget=next_budget(goal, spent),
    )
    last.audits += 1
    _move(goal, last, Stage.AUDIT)


def _after_audit(goal: Goal, last: Round) -> None:
    audit = last.audit
    if audit is not None and audit.status == Run.Status.FINISHED:
        _conclude(goal, last, is_good=is_reached(audit.answer), words=audit.answer)
    elif audit is not None and audit.status == Run.Status.CANCELLED:
        end_goal(goal, State.STOPPED, sentence(audit.error_message or "Its auditor was stopped."))
    elif (audit is None or audit.is_retryable) and last.audits < MAX_AUDITS:
        _ask_auditor(goal, last)
    else:
        reason = audit.error_message if audit is not None else "its run is gone"
        end_goal(goal, State.FAILED, f"The auditor gave no verdict: {reason}")


def _move(goal: Goal, last: Round, stage: str) -> None:
    last.stage = stage
    last.save()
    announce(goal)


# --- what follows ----------------------------------------------------------------------------------------------------


def _conclude(goal: Goal, last: Round, *, is_good: bool, words: str) -> None:
    """Write the verdict; the goal ends, or its next round begins."""
    last.is_reached, last.words = is_good, storable_text(words, limit=WORDS_CHARS)
    last.ended_at = timezone.now()
    _move(goal, last, Stage.DONE)
    if is_good:
        end_goal(goal, State.REACHED, last.words)
    elif not last.is_changed and _was_idle(goal, last):
        end_goal(goal, State.STUCK, f"Two rounds have changed nothing. {last.words}")
    elif over := exceeded(goal, spent_on(goal, now=timezone.now())):
        end_goal(goal, State.OUT_OF_BUDGET, over)
    else:
        transaction.on_commit(partial(advance, goal.pk), robust=True)
