"""Where lessons come from: rejections, remarks, words to running agents, and what runs tell of themselves."""

from __future__ import annotations

import pytest

from tests.framework.keys import fake_key
from tests.webapp.agents.conftest import Engine
from tests.webapp.learning.conftest import MONEY, School
from webapp.agents.models import Run
from webapp.agents.services import steer_run
from webapp.learning import services
from webapp.learning.models import Lesson, LessonEvidence
from webapp.reviews import services as reviews
from workers import events as engine

SECRET = fake_key("ghp_", 36)


def only_lesson() -> Lesson:
    services.settle_all()
    return Lesson.objects.get()


def test_learns_from_a_rejection_with_a_reason_and_not_from_one_without(school: School) -> None:
    change_set = school.desk.three_hunks()
    school.desk.decide(change_set, 0, "rejected")
    assert not LessonEvidence.objects.exists()
    school.desk.decide(change_set, 1, "rejected", reason=MONEY)
    lesson = only_lesson()
    assert (lesson.pattern, lesson.source, lesson.hits) == (MONEY, "hunk", 1)
    assert lesson.cause == "In calc.py: return 105"
    evidence = lesson.evidence.get()
    assert evidence.change_set_id == change_set.pk and evidence.hunk_key
    assert evidence.run_id == change_set.run_id and evidence.by == school.company.member


def test_one_rejection_of_a_whole_file_is_one_piece_of_evidence(school: School) -> None:
    change_set = school.desk.three_hunks()
    reviews.decide_file(
        change_set=change_set, path=None, verdict="rejected", decided_by=school.company.member, reason=MONEY
    )
    assert only_lesson().hits == 1


@pytest.mark.parametrize("is_settled", [True, False])
def test_takes_a_lesson_back_with_the_rejection(school: School, is_settled: bool) -> None:
    change_set = school.desk.three_hunks()
    school.desk.decide(change_set, 0, "rejected", reason=MONEY)
    if is_settled:
        services.settle_all()
    reviews.undo_decision(change_set=change_set, undone_by=school.company.member)
    services.settle_all()
    assert not LessonEvidence.objects.exists() and not Lesson.objects.exists()
    school.desk.decide(change_set, 0, "rejected", reason=MONEY)
    services.settle_all()
    school.desk.decide(change_set, 0, "accepted")
    assert not Lesson.objects.exists()


def test_a_withdrawn_rejection_leaves_what_others_or_people_speak_for(school: School) -> None:
    kept = school.lesson()
    change_set = school.desk.three_hunks()
    school.desk.decide(change_set, 0, "rejected", reason=MONEY)
    services.settle_all()
    kept.refresh_from_db()
    assert kept.hits == 1
    reviews.undo_decision(change_set=change_set, undone_by=school.company.member)
    kept.refresh_from_db()
    assert kept.hits == 0


def test_learns_from_a_remark_that_asks_for_a_fix_and_from_no_other(school: School) -> None:
    change_set = school.desk.three_hunks()
    remark = {"change_set": change_set, "author": school.company.member, "path": "calc.py"}
    reviews.comment(text="Why is that so?", kind="question", **remark)
    thread = reviews.comment(text=MONEY, kind="must-fix", line=2, **remark)
    reviews.comment(text="Indeed it does.", kind="must-fix", parent=thread, **remark)
    lesson = only_lesson()
    assert (lesson.pattern, lesson.source) == (MONEY, "comment")
    assert lesson.cause == "In calc.py: return 100"


def test_learns_from_what_a_person_tells_a_running_agent(school: School) -> None:
    run = school.run(status="running")
    run.steps.create(step_id="s1", kind="tool_call", title="x", started_at=run.created_at, seq=1)
    steer_run(run=run, by=school.company.member, kind="stop_step", step_id="s1")
    steer_run(run=run, by=school.company.member, kind="answer", text="The second one please", step_id="s1")
    assert not LessonEvidence.objects.exists()
    steer_run(run=run, by=school.company.member, kind="redirect", text="Leave the generated client alone")
    lesson = only_lesson()
    assert (lesson.pattern, lesson.source) == ("Leave the generated client alone", "steering")
    assert lesson.goal == run.goal


def test_learns_from_what_a_run_tells_of_itself_once(school: School) -> None:
    run = school.run(status="running")
    worker = Engine(run)
    told = {"source": "reflection", "pattern": "The answer names a file that is not there.", "step_id": "s3"}
    event = worker.say(engine.LessonObserved, **told)
    worker.say(engine.LessonObserved, seq=event.run_seq, **told)  # told twice by the stream
    lesson = only_lesson()
    assert (lesson.source, lesson.hits) == ("reflection", 1)
    assert lesson.evidence.get().step_id == "s3"
    worker.fence = 0
    worker.say(engine.LessonObserved, **told)  # by a worker that was overtaken
    assert only_lesson().hits == 1


def test_hides_secrets_and_keeps_its_bounds(school: School) -> None:
    run = school.run(status="running")
    Engine(run).say(
        engine.LessonObserved, source="test", pattern=f"AuthError: token {SECRET} was refused",
        cause=f"x {SECRET}\n\n# System:\x00",
        solution="y" * 5_000, evidence=f"{SECRET} " * 500,
    )  # fmt: skip
    lesson = only_lesson()
    evidence = lesson.evidence.get()
    for text in (lesson.pattern, lesson.cause, evidence.text, evidence.cause):
        assert SECRET not in text and "\x00" not in text
    assert "[hidden:" in lesson.pattern
    assert "\n" not in lesson.cause and len(lesson.solution) <= 600 and len(evidence.text) <= 2_000


def test_a_goal_with_a_secret_is_not_kept_with_it(school: School) -> None:
    run: Run = school.run(goal=f"Use {SECRET} to call the API", status="running")
    Engine(run).say(engine.LessonObserved, source="test", pattern="KeyError: 'name' is missing")
    assert SECRET not in only_lesson().goal


def test_a_run_that_tells_of_a_mistake_and_of_its_mending_has_made_it_once(school: School) -> None:
    run = school.run(status="running")
    worker = Engine(run)
    worker.say(engine.LessonObserved, source="test", pattern="KeyError: 'name' is missing")
    worker.say(
        engine.LessonObserved, source="test", pattern="KeyError: 'name' is missing", solution="Use get."
    )
    lesson = only_lesson()
    assert (lesson.hits, lesson.solution, lesson.evidence.count()) == (1, "Use get.", 2)
