"""Who is given which lesson, what came of it, and that outcomes count once in whatever order they come."""

from __future__ import annotations

import itertools

import pytest

from tests.webapp.agents.conftest import Engine
from tests.webapp.learning.conftest import MONEY, MONEY_GOAL, School
from tests.webapp.reviews.conftest import THREE_HUNKS
from webapp.agents.models import Run
from webapp.agents.services.launching import build_job
from webapp.learning import selectors, services
from webapp.learning.models import AgentWeight, Cycle, LessonUse, Outcome
from webapp.reviews import services as reviews
from workers import events as engine
from workers.memory.embedding import minilm


def test_gives_the_lesson_to_the_very_next_run_that_fits_and_to_no_other(school: School) -> None:
    lesson = school.lesson()
    fits, other = school.run(), school.run("Write a poem about the sea.")
    assert [one["pattern"] for one in build_job(fits).lessons] == [MONEY]
    assert build_job(other).lessons == []
    use = LessonUse.objects.get()
    assert (use.lesson, use.run_id, use.outcome) == (lesson, fits.pk, Outcome.OPEN)
    assert use.similarity > 0.3


def test_gives_a_run_that_is_rung_for_again_what_it_got_before(school: School) -> None:
    lesson = school.lesson()
    run = school.run()
    assert school.give(run) == school.give(run) == [lesson.pk]
    school.lesson("Amounts of money are shown with a currency.")
    assert school.give(run) == [lesson.pk]
    assert LessonUse.objects.count() == 1


def test_gives_no_lesson_of_another_workspace_nor_an_archived_one(school: School) -> None:
    lesson = school.lesson()
    elsewhere = school.company.stranger.memberships.get().workspace
    assert school.give(school.run(workspace=elsewhere)) == []
    services.archive_lesson(lesson=lesson)
    assert school.give(school.run()) == []
    services.restore_lesson(lesson=lesson)
    assert school.give(school.run()) == [lesson.pk]


def test_an_agent_without_a_model_is_told_nothing(school: School) -> None:
    school.lesson()
    assert build_job(school.run(agent="tidy", model_choice={})).lessons == []
    assert not LessonUse.objects.exists()


def test_loads_no_model_where_nothing_was_learned(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "embed", lambda texts: pytest.fail("embedded"))
    assert school.give(school.run()) == []


def test_credits_what_an_applied_change_was_told_and_discredits_what_a_discarded_one_was(
    school: School,
) -> None:
    lesson = school.lesson()
    for is_applied in (True, False):
        run = school.run()
        school.give(run)
        change_set = school.desk.loaded(
            school.desk.propose({"calc.py": THREE_HUNKS if is_applied else b"x = 1\n"}, run=run)
        )
        if is_applied:
            reviews.decide_file(
                change_set=change_set, path=None, verdict="accepted", decided_by=school.company.member
            )
            school.desk.apply(change_set)
        else:
            reviews.discard(change_set=change_set, discarded_by=school.company.member)
    lesson.refresh_from_db()
    assert (lesson.successes, lesson.failures) == (1, 1)
    weight = AgentWeight.objects.get(agent="coder")
    assert (weight.successes, weight.failures, weight.kind) == (1, 1, "change")
    reviews.reopen(change_set=change_set, reopened_by=school.company.member)
    lesson.refresh_from_db()
    assert (lesson.successes, lesson.failures) == (1, 0)


@pytest.mark.parametrize("order", list(itertools.permutations(["applied", "reverted", "finished"])))
def test_counts_agree_with_the_last_word_in_whatever_order_it_comes(
    school: School, order: tuple[str, ...]
) -> None:
    lesson, run = school.lesson(), school.run()
    school.give(run)
    outcomes = {"applied": Outcome.HELPED, "reverted": Outcome.FAILED}
    for what in order:
        for _ in range(2):  # told twice
            if what == "finished":
                services.record_cycle(run)
            else:
                services.record_outcome(runs=[run], outcome=outcomes[what])
    last = [what for what in order if what != "finished"][-1]
    lesson.refresh_from_db()
    weight = AgentWeight.objects.get()
    expected = (1, 0) if last == "applied" else (0, 1)
    assert (lesson.successes, lesson.failures) == (weight.successes, weight.failures) == expected
    assert Cycle.objects.get().number == weight.last_cycle == 1


def test_a_mistake_made_again_in_spite_of_its_lesson_discredits_it_for_good(school: School) -> None:
    lesson = school.lesson("AssertionError: the total is a float")
    run = school.run("Compute the total and assert that it is no float", status="running")
    assert school.give(run) == [lesson.pk]
    Engine(run).say(engine.LessonObserved, source="test", pattern="AssertionError: the total is a float")
    services.settle_all()
    services.record_outcome(runs=[run], outcome=Outcome.HELPED)
    lesson.refresh_from_db()
    assert (lesson.successes, lesson.failures, lesson.hits) == (0, 1, 1)
    assert lesson.uses.get().outcome == Outcome.REPEATED


def test_a_finished_run_is_one_cycle_and_a_failed_one_none(school: School) -> None:
    for status in ("finished", "failed"):
        run = school.run(status="running")
        worker = Engine(run)
        if status == "finished":
            worker.say(engine.RunFinished, answer="Done.")
        else:
            worker.say(engine.RunFailed, code="x", message="y", retryable=False)
    assert selectors.current_cycle(school.company.workspace.pk) == 1


def test_agents_are_suggested_by_how_they_do(school: School) -> None:
    workspace = school.company.workspace
    assert selectors.agents_by_weight(workspace, ["a", "b", "c"]) == ["a", "b", "c"]
    for agent, outcome in (("b", Outcome.HELPED), ("a", Outcome.FAILED)):
        run = Run(workspace=workspace, agent=agent, goal=MONEY_GOAL)
        services.record_cycle(run)
        services.record_outcome(runs=[run], outcome=outcome)
    assert selectors.agents_by_weight(workspace, ["a", "b", "c"]) == ["b", "c", "a"]
    best, worst = selectors.agent_weights(workspace)
    assert (best.agent, best.successes, worst.agent, worst.failures) == ("b", 1, "a", 1)
    assert best.weight > 0.5 > worst.weight
    assert selectors.agent_weights(workspace, kind="question") == []
