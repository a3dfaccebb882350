"""What people do with lessons, and what time does."""

from __future__ import annotations

import pytest

from tests.webapp.learning.conftest import MONEY, School
from webapp.errors import Conflict, Invalid, NotFound
from webapp.learning import selectors, services
from webapp.learning.models import Lesson
from workers.memory.pruning import IDLE_CYCLES


def test_a_lesson_that_a_person_writes_is_given_once_it_is_embedded(school: School) -> None:
    lesson = services.write_lesson(
        workspace=school.company.workspace, written_by=school.company.member, pattern=MONEY
    )
    assert school.give(school.run()) == []
    services.settle_all()
    assert school.give(school.run()) == [lesson.pk]
    with pytest.raises(Conflict):
        services.write_lesson(
            workspace=school.company.workspace, written_by=school.company.owner, pattern=MONEY.upper()
        )
    with pytest.raises(Invalid):
        services.write_lesson(
            workspace=school.company.workspace, written_by=school.company.owner, pattern="no"
        )


def test_an_edited_lesson_fits_what_it_says_now(school: School) -> None:
    lesson = school.lesson()
    services.edit_lesson(
        lesson=lesson, edited_by=school.company.member, pattern="Poems must rhyme.", solution="ABAB"
    )
    services.settle_all()
    assert school.give(school.run()) == []
    assert school.give(school.run("Write a poem that rhymes.")) == [lesson.pk]
    other = school.lesson()
    with pytest.raises(Conflict):
        services.edit_lesson(lesson=other, edited_by=school.company.member, pattern="poems MUST rhyme")


def test_what_is_deleted_meanwhile_is_gone_and_no_fault(school: School) -> None:
    lesson = school.lesson()
    stale = Lesson.objects.get(pk=lesson.pk)
    services.delete_lesson(lesson=lesson)
    with pytest.raises(NotFound):
        services.edit_lesson(lesson=stale, edited_by=school.company.member, cause="x")
    with pytest.raises(NotFound):
        services.pin_lesson(lesson=stale, is_pinned=True)
    for act in (services.archive_lesson, services.restore_lesson):
        with pytest.raises(NotFound):
            act(lesson=stale)


def test_fades_after_fifty_idle_cycles_and_comes_back(school: School) -> None:
    useless, pinned = (
        school.lesson("Close the file after reading.", failures=20),
        school.lesson(failures=20, is_pinned=True),
    )
    school.finish(times=IDLE_CYCLES)
    workspace_id = school.company.workspace.pk
    assert services.archive_faded(workspace_id) == []
    school.finish()
    assert services.archive_faded(workspace_id) == [useless.pk]
    assert services.archive_faded(workspace_id) == []
    services.restore_lesson(lesson=useless)
    assert services.archive_faded(workspace_id) == []  # as if it had just been used
    pinned.refresh_from_db()
    assert pinned.archived_at is None


def test_shows_a_weight_that_only_cycles_change(school: School) -> None:
    school.lesson()
    workspace = school.company.workspace

    def weight() -> float:
        return selectors.lessons_page(workspace).rows[0].weight

    assert weight() == 0.5
    school.finish(times=IDLE_CYCLES)
    assert weight() == 0.5
    school.finish()
    assert weight() == weight() == 0.25


def test_pins_archives_and_deletes(school: School) -> None:
    lesson = school.lesson()
    services.archive_lesson(lesson=lesson)
    assert services.pin_lesson(lesson=lesson, is_pinned=True).archived_at is None
    assert services.archive_lesson(lesson=lesson).is_pinned is False
    services.delete_lesson(lesson=Lesson.objects.get())
    assert not Lesson.objects.exists()


def test_finds_lessons_by_their_words_and_pages_through_them(school: School) -> None:
    for number in range(3):
        school.lesson(f"{MONEY} {'abc'[number] * 3}")
    school.lesson("Close the file after reading.")
    workspace = school.company.workspace
    assert len(selectors.lessons_page(workspace, query="DECIMAL float").rows) == 3
    page = selectors.lessons_page(workspace, limit=3)
    assert page.next_before is not None
    assert len(selectors.lessons_page(workspace, before=page.next_before).rows) == 1
    assert selectors.lessons_page(workspace, which="archived").rows == []
    with pytest.raises(Invalid):
        selectors.lessons_page(workspace, which="x")
