from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from tests.framework.people import Company
from tests.framework.repos import commit_beside
from tests.webapp.unattended.conftest import end
from webapp.agents.models import ModelProfile, Run
from webapp.agents.prices import PriceRow, set_price
from webapp.agents.routes import set_route
from webapp.agents.services import cancel_run
from webapp.agents.services.ending import end_run
from webapp.errors import Conflict, Invalid
from webapp.reviews import services as reviews
from webapp.reviews.models import ChangeSet, Evidence
from webapp.reviews.services import record_evidence
from webapp.unattended import services
from webapp.unattended.models import Act, Goal, Round
from webapp.unattended.services.calling import CallingFields
from webapp.unattended.services.goals import Limits
from webapp.workspaces.models import Role
from webapp.workspaces.repositories import repository_of
from webapp.workspaces.services import set_role
from workers.events import ChangeProposed, EvidenceFinished
from workers.queue import EvidenceJob

pytestmark = pytest.mark.django_db(transaction=True)
COMMAND = "python3 -m pytest -q"


@pytest.fixture
def rung_evidence(monkeypatch: pytest.MonkeyPatch) -> list[EvidenceJob]:
    """The commands that workers were rung for."""
    rung: list[EvidenceJob] = []
    monkeypatch.setattr("webapp.reviews.services.evidence.queue.submit_evidence", rung.append)
    return rung


def set_goal(company: Company, **more: Any) -> Goal:
    given = {"name": "Green", "agent": "coder", "goal": "Make the tests pass"}
    given |= {key: more.pop(key) for key in list(more) if key in CallingFields.__dataclass_fields__}
    limits = Limits(**({"command": COMMAND} | more))
    goal = services.set_goal(
        workspace=company.workspace, set_by=company.member, given=CallingFields(**given), limits=limits
    )
    services.advance_goals()
    return goal


def last(goal: Goal) -> Round:
    goal.refresh_from_db()
    found = goal.rounds.select_related("run", "audit", "evidence", "revision").last()
    assert found is not None
    return found


def work(goal: Goal, text: str | None, *, status: Run.Status = Run.Status.FINISHED, tokens: int = 0) -> Round:
    """The agent of the last round proposes a file of this text (None: nothing), and its run ends."""
    run = last(goal).run
    assert run is not None
    Run.objects.filter(pk=run.pk).update(input_tokens=tokens)
    if text is not None:
        repository = repository_of(run.workspace)
        base = Run.objects.get(pk=run.pk).base_commit
        start = (run.job.get("revision_of") or {}).get("commit") or base
        commit = commit_beside(repository, {"a.py": text.encode()}, base=start)
        event = ChangeProposed(
            run_id=str(run.pk), fence=1, run_seq=1, base_commit=base, commit=commit, title="T", summary="S"
        )
        reviews.open_review(
            run=Run.objects.select_related("workspace", "change_set").get(pk=run.pk), proposal=event
        )
    end(run, status)
    return last(goal)


def judge_command(goal: Goal, status: str, output: str = "1 failed") -> None:
    """The worker has run the last round's command."""
    evidence = last(goal).evidence
    assert evidence is not None and evidence.status == "running"
    Evidence.objects.filter(pk=evidence.pk).update(
        status=status, output=output, exit_code=int(status != "passed")
    )
    services.advance_goals()


def judge(goal: Goal, answer: str) -> None:
    """The auditor's run ends with this answer."""
    audit = last(goal).audit
    assert audit is not None
    with transaction.atomic():
        end_run(Run.objects.select_for_update().get(pk=audit.pk), Run.Status.FINISHED, answer=answer)


def test_rounds_build_on_each_other_until_the_command_succeeds_and_nothing_lands(company: Company) -> None:
    goal = set_goal(company)
    first = last(goal).run
    assert first is not None
    assert (first.origin, first.requested_by, first.agent, first.goal) == (
        "goal", company.member, "coder", "Make the tests pass",
    )  # fmt: skip
    assert work(goal, "one\n").stage == "command"
    evidence = last(goal).evidence
    assert evidence is not None and (evidence.command, evidence.tree) == (COMMAND, evidence.revision.tree)
    judge_command(goal, "failed", "assert 1 == 2")
    second = last(goal)
    assert second.number == 2 and second.run is not None
    assert "assert 1 == 2" in second.run.goal
    revision_of = second.run.job["revision_of"]
    assert "assert 1 == 2" in revision_of["comments"][0]["text"]
    assert revision_of["commit"] == evidence.revision.commit
    assert second.run.change_set == goal.change_set
    work(goal, "two\n")
    judge_command(goal, "passed")
    goal.refresh_from_db()
    assert (goal.state, goal.rounds.count(), goal.note) == ("reached", 2, f"`{COMMAND}` succeeds.")
    change_set = ChangeSet.objects.get()
    assert goal.change_set == change_set
    assert (change_set.status, change_set.turn, change_set.revisions.count()) == ("open", "reviewer", 2)
    assert not change_set.comments.filter(resolved_at=None, parent=None).exists()
    assert [act.verb for act in Act.objects.all()] == ["ended", "made"]


def test_an_auditor_judges_by_the_files_that_are_proposed(company: Company) -> None:
    goal = set_goal(company, command="", criteria="a.py says three")
    work(goal, "one\n")
    audit = last(goal).audit
    assert audit is not None and audit.agent == "auditor"
    assert audit.base_commit == last(goal).revision.commit  # type: ignore[union-attr]
    assert "a.py says three" in audit.goal and audit.origin == "goal"
    judge(goal, "**Not reached.** It says one.\n\nNext: Write three.")
    assert "Next: Write three." in last(goal).run.goal  # type: ignore[union-attr]
    work(goal, "three\n")
    judge(goal, "**Reached.** a.py:1 says three.")
    goal.refresh_from_db()
    assert goal.state == "reached"
    assert not ChangeSet.objects.exclude(status="open").exists()


def test_with_both_the_command_comes_first_and_the_auditor_is_not_asked_for_nothing(company: Company) -> None:
    goal = set_goal(company, criteria="It is clear")
    work(goal, "one\n")
    judge_command(goal, "failed")
    assert not Run.objects.filter(agent="auditor").exists()
    work(goal, "two\n")
    judge_command(goal, "passed")
    judge(goal, "**Reached.** It is.")
    goal.refresh_from_db()
    assert goal.state == "reached"


@pytest.mark.parametrize("how", ["nothing proposed", "the same again"])
def test_two_rounds_without_a_change_are_stuck(company: Company, how: str) -> None:
    goal = set_goal(company, max_rounds=9)
    if how == "the same again":
        work(goal, "one\n")
        judge_command(goal, "failed")
        work(goal, "one\n")
        judge_command(goal, "failed")
        work(goal, "one\n")
    else:
        work(goal, None)
        judge_command(goal, "failed")
        work(goal, None)
    goal.refresh_from_db()
    assert (goal.state, goal.rounds.count()) == ("stuck", 3 if how == "the same again" else 2)


def test_one_idle_round_between_is_not_stuck(company: Company) -> None:
    goal = set_goal(company)
    work(goal, None)
    judge_command(goal, "failed")
    work(goal, "one\n")
    judge_command(goal, "failed")
    work(goal, "one\n")
    judge_command(goal, "failed")
    assert last(goal).number == 4 and goal.state == "working"


def test_a_command_that_succeeds_before_any_change_reaches_the_goal(
    company: Company, rung_evidence: list[EvidenceJob]
) -> None:
    """Trap: with nothing to change, nothing was checked, and the goal ended as stuck."""
    goal = set_goal(company)
    work(goal, None)
    one = last(goal)
    assert one.run is not None and one.evidence is not None and one.stage == "command"
    tree = repository_of(company.workspace).tree_of(one.run.base_commit)
    (job,) = rung_evidence
    assert (job.workspace_id, job.tree, job.command) == (company.workspace.pk, tree, COMMAND)
    record_evidence(
        EvidenceFinished(
            run_id="", fence=0, run_seq=0, evidence_id=one.evidence.pk, status="passed", exit_code=0, output="1 passed",
            duration_ms=5,
        )
    )  # fmt: skip
    services.advance_goals()
    goal.refresh_from_db()
    assert (goal.state, goal.rounds.count(), goal.change_set) == ("reached", 1, None)
    assert goal.note == f"`{COMMAND}` succeeds. Nothing had to change for it."
    page = company.client(company.viewer).get(f"/w/{company.workspace.pk}/unattended/goals/{goal.pk}/")
    assert "Nothing had to change" in page.content.decode()


def test_what_the_command_says_before_any_change_is_told_to_the_next_round(company: Company) -> None:
    goal = set_goal(company)
    work(goal, None)
    judge_command(goal, "failed", "assert 1 == 2")
    second = last(goal).run
    assert second is not None and "assert 1 == 2" in second.goal


def test_a_goal_with_command_and_criteria_asks_the_auditor_about_files_that_need_no_change(
    company: Company,
) -> None:
    goal = set_goal(company, criteria="There is no bug")
    work(goal, None)
    judge_command(goal, "passed")
    audit = last(goal).audit
    assert audit is not None and audit.base_commit == last(goal).run.base_commit  # type: ignore[union-attr]
    assert "was run on it and succeeded" in audit.goal


def test_a_goal_that_was_reached_before_any_change_is_seen_by_the_auditor(company: Company) -> None:
    goal = set_goal(company, command="", criteria="There is no bug")
    work(goal, None)
    audit = last(goal).audit
    assert audit is not None and audit.base_commit == last(goal).run.base_commit  # type: ignore[union-attr]
    judge(goal, "**Reached.** There is none.")
    goal.refresh_from_db()
    assert goal.state == "reached" and goal.change_set is None


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_rounds": 1}, "its 1 round."),
        ({"max_tokens": 500}, "its 500 tokens."),
        ({"max_seconds": 60}, "its 60 seconds."),
    ],
)
def test_it_ends_within_its_whole_budget(company: Company, limits: dict[str, int], words: str) -> None:
    goal = set_goal(company, **limits)
    budget = last(goal).run.budget  # type: ignore[union-attr]
    assert budget["tokens"] == limits.get("max_tokens", 400_000)
    assert budget["seconds"] <= limits.get("max_seconds", 900)
    work(goal, "one\n", tokens=500)
    if "max_seconds" in limits:
        Goal.objects.filter(pk=goal.pk).update(created_at=timezone.now() - timedelta(seconds=61))
    judge_command(goal, "failed")
    goal.refresh_from_db()
    assert (goal.state, words in goal.note) == ("budget", True)
    assert ChangeSet.objects.get().status == "open", "what was done waits in its review"


@pytest.mark.parametrize("stage", ["work", "command", "audit"])
def test_it_ends_with_its_time_whatever_its_round_is_at(company: Company, stage: str) -> None:
    """Trap: a run that waited for a slot, or a command that took long, went on past the seconds of its goal."""
    goal = set_goal(company, max_seconds=60, **({"command": "", "criteria": "x"} if stage == "audit" else {}))
    if stage != "work":
        work(goal, "one\n")
    services.advance_goals()
    goal.refresh_from_db()
    assert goal.state == "working"
    Goal.objects.filter(pk=goal.pk).update(created_at=timezone.now() - timedelta(seconds=61))
    services.advance_goals()
    at = last(goal)
    assert (goal.state, goal.note) == ("budget", "It has used its 60 seconds. What was at work is stopped.")
    assert at.stage == "done"
    if stage == "command":
        return
    run = at.run if stage == "work" else at.audit
    assert run is not None and run.status == "cancelled"
    assert run.error_message.startswith("Stopped, since the time of its goal is over")


def test_of_more_goals_than_it_looks_at_each_time_none_waits_for_ever(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap: the clock looked at the newest ones only."""
    monkeypatch.setattr("webapp.unattended.services.rounds.BATCH", 1)
    monkeypatch.setattr("webapp.unattended.services.goals.MAX_AT_WORK", 3)
    goals = [set_goal(company) for _ in range(3)]
    for _ in range(200):
        services.advance_goals()
        if Round.objects.count() == len(goals):
            break
    assert {goal.rounds.count() for goal in goals} == {1}


def test_the_next_run_gets_only_what_is_left(company: Company) -> None:
    goal = set_goal(company, max_tokens=1_000)
    work(goal, "one\n", tokens=700)
    judge_command(goal, "failed")
    assert last(goal).run.budget["tokens"] == 300  # type: ignore[union-attr]


def test_what_its_runs_hand_on_counts_too(company: Company) -> None:
    goal = set_goal(company, max_tokens=1_000)
    run = last(goal).run
    assert run is not None
    child = Run.objects.create(
        workspace=run.workspace, agent="tidy", goal="x", status="finished", parent=run, input_tokens=300
    )
    Run.objects.create(
        workspace=run.workspace, agent="tidy", goal="x", status="finished", parent=child, output_tokens=60
    )
    work(goal, "one\n", tokens=40)
    judge_command(goal, "failed")
    assert last(goal).run.budget["tokens"] == 600  # type: ignore[union-attr]


def test_no_auditor_is_paid_beyond_the_budget(company: Company) -> None:
    goal = set_goal(company, command="", criteria="x", max_tokens=500)
    work(goal, "one\n", tokens=600)
    goal.refresh_from_db()
    assert goal.state == "budget" and "not judged" in goal.note
    assert not Run.objects.filter(agent="auditor").exists()


def test_the_model_that_its_agent_runs_on_must_have_the_price(company: Company) -> None:
    """Trap: the model of agents without a list of their own was asked for its price, and that of agents without any model."""
    unpriced = ModelProfile.objects.create(
        workspace=company.workspace, name="x", provider="openai", model="m", base_url="https://x.org/v1"
    )
    set_route(workspace=company.workspace, agent="coder", profile_ids=[unpriced.pk])
    with pytest.raises(Invalid, match="price"):
        set_goal(company, max_cost_usd=1.0)
    ModelProfile.objects.filter(pk=unpriced.pk).update(is_default=True)
    assert set_goal(company, agent="tidy", max_cost_usd=1.0).max_cost_usd == 1.0


def test_dollars_are_limited_only_where_the_price_is_known(company: Company) -> None:
    free = ModelProfile.objects.create(
        user=company.member, name="x", provider="openai", model="m", base_url="https://x.org/v1"
    )
    with pytest.raises(Invalid, match="price") as refused:
        set_goal(company, max_cost_usd=1.0, profile_id=free.pk)
    assert refused.value.facts["field"] == "max_cost_usd"
    own = PriceRow(model="m", input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)
    set_price(workspace=company.workspace, row=own)
    goal = set_goal(company, max_cost_usd=1.0, profile_id=free.pk)
    assert last(goal).run.budget["cost_usd"] == 1.0  # type: ignore[union-attr]
    Run.objects.filter(pk=last(goal).run_id).update(cost_usd=None)
    work(goal, "one\n")
    judge_command(goal, "failed")
    goal.refresh_from_db()
    assert goal.state == "budget" and "cannot be told" in goal.note


def test_a_person_stops_it_and_its_run(company: Company) -> None:
    goal = set_goal(company)
    services.stop_goal(goal=goal, stopped_by=company.maintainer)
    assert last(goal).run.status == "cancelled"  # type: ignore[union-attr]
    assert (goal.state, goal.note) == ("stopped", "Stopped by Max.")
    services.advance_goals()
    assert Round.objects.count() == 1
    with pytest.raises(Conflict):
        services.stop_goal(goal=goal, stopped_by=company.maintainer)


def test_it_stops_with_a_run_that_somebody_stops(company: Company) -> None:
    goal = set_goal(company)
    cancel_run(run=last(goal).run, cancelled_by=company.maintainer)  # type: ignore[arg-type]
    goal.refresh_from_db()
    assert goal.state == "stopped" and "Stopped by Max" in goal.note


@pytest.mark.parametrize("decided", ["discarded", "landed"])
def test_it_stops_when_people_decide_about_its_change_set(company: Company, decided: str) -> None:
    goal = set_goal(company)
    work(goal, "one\n")
    ChangeSet.objects.update(status=decided)
    judge_command(goal, "failed")
    goal.refresh_from_db()
    assert goal.state == "stopped" and decided in goal.note


def test_it_stops_with_its_owners_rights(company: Company) -> None:
    goal = set_goal(company)
    set_role(workspace=company.workspace, user_id=company.member.pk, role=Role.VIEWER)
    goal.refresh_from_db()
    assert goal.state == "stopped" and "no more" in goal.note
    services.advance_goals()
    assert Round.objects.count() == 1


def test_a_run_that_fails_for_good_ends_it_and_one_that_may_be_tried_again_does_not(company: Company) -> None:
    goal = set_goal(company)
    run = last(goal).run
    assert run is not None

    def fail(run: Run, *, is_retryable: bool) -> None:
        with transaction.atomic():
            locked = Run.objects.select_for_update().get(pk=run.pk)
            end_run(locked, Run.Status.FAILED, code="x", message="No answer", is_retryable=is_retryable)

    fail(run, is_retryable=True)
    again = last(goal)
    assert again.number == 2 and "No answer" in again.run.goal  # type: ignore[union-attr]
    fail(again.run, is_retryable=False)  # type: ignore[arg-type]
    goal.refresh_from_db()
    assert goal.state == "failed" and "No answer" in goal.note


def test_an_auditor_without_a_verdict_is_asked_again_and_then_given_up(company: Company) -> None:
    goal = set_goal(company, command="", criteria="x")
    work(goal, "one\n")
    for _ in range(3):
        with transaction.atomic():
            locked = Run.objects.select_for_update().get(pk=last(goal).audit_id)
            end_run(locked, Run.Status.FAILED, code="x", message="Cut off", is_retryable=True)
    goal.refresh_from_db()
    assert goal.state == "failed" and "no verdict" in goal.note
    assert Run.objects.filter(agent="auditor").count() == 3


def test_a_command_that_cannot_be_run_is_no_verdict(company: Company) -> None:
    goal = set_goal(company)
    work(goal, "one\n")
    judge_command(goal, "lost")
    goal.refresh_from_db()
    assert goal.state == "failed" and "could not be run" in goal.note


def test_a_command_that_somebody_else_runs_is_waited_for(company: Company) -> None:
    goal = set_goal(company)
    run = last(goal).run
    assert run is not None
    work(goal, "one\n")
    judge_command(goal, "failed")
    revision = ChangeSet.objects.get().revisions.latest("number")
    busy = Evidence.objects.create(revision=revision, tree=revision.tree, command="true")
    work(goal, "two\n")
    assert (last(goal).stage, goal.state) == ("work", "working")
    Evidence.objects.filter(pk=busy.pk).update(status="passed")
    services.advance_goals()
    assert last(goal).stage == "command"


def test_it_goes_on_from_its_rows_when_every_hook_was_missed(company: Company) -> None:
    goal = set_goal(company)
    run = last(goal).run
    assert run is not None
    work_without_hooks = {"status": "finished", "finished_at": timezone.now()}
    Run.objects.filter(pk=run.pk).update(**work_without_hooks)
    for _ in range(3):
        services.advance_goals()
    judge_command(goal, "failed")
    assert last(goal).number == 2
    for _ in range(5):
        services.advance_goals()
    assert Round.objects.count() == Run.objects.count() == 2, "looking at it again starts nothing"


def test_what_cannot_be_a_goal_is_refused(company: Company) -> None:
    for more, field in (
        ({"command": " "}, "command"),
        ({"agent": "auditor"}, "agent"),
        ({"agent": "reviewer"}, "agent"),
        ({"goal": ""}, "goal"),
        ({"max_rounds": 0}, "max_rounds"),
        ({"max_rounds": 51}, "max_rounds"),
        ({"max_seconds": 10**9}, "max_seconds"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"criteria": "x" * 6_001}, "criteria"),
    ):
        with pytest.raises(Invalid) as refused:
            set_goal(company, **more)
        assert refused.value.facts["field"] == field, more
    assert not Goal.objects.exists()


def test_an_ended_one_can_be_deleted_and_its_review_stays(company: Company) -> None:
    goal = set_goal(company)
    with pytest.raises(Conflict):
        services.delete_goal(goal=goal, deleted_by=company.member)
    work(goal, "one\n")
    judge_command(goal, "passed")
    services.delete_goal(goal=goal, deleted_by=company.member)
    assert not Goal.objects.exists() and ChangeSet.objects.exists()
    assert uuid.UUID(str(Run.objects.get().pk))
