"""One lesson per mistake, in whatever words and however often it is seen; and who comes back from the archive."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from tests.webapp.learning.conftest import MONEY, School
from webapp.errors import Conflict
from webapp.events.registry import engine_handlers
from webapp.learning import handlers, services
from webapp.learning.models import Lesson, LessonEvidence
from webapp.learning.services import settling, tending
from workers.events import RunStarted
from workers.learning.core import LessonCore
from workers.memory.embedding.model import MiniLM

core = LessonCore()


def see(school: School, pattern: str, number: int, **fields: str) -> None:
    services.observe(
        workspace=school.company.workspace,
        observation=core.observe("comment", pattern=pattern, **fields),
        origin=f"comment:{number}",
    )


def test_merges_what_means_the_same_and_keeps_what_does_not(school: School) -> None:
    see(school, "ZeroDivisionError: division by zero", 1)
    see(school, "ZeroDivisionError: float division by zero", 2, solution="Look for the empty list first.")
    see(school, "zerodivisionerror: DIVISION by zero!", 3)
    see(school, "Close the file after reading.", 4)
    services.settle_all()
    first, second = Lesson.objects.order_by("pk")
    assert (first.hits, second.hits) == (3, 1)
    assert first.pattern == "ZeroDivisionError: division by zero"
    assert first.solution == "Look for the empty list first."
    assert first.evidence.count() == 3
    assert not services.has_unsettled() and services.settle_all() == 0


def test_merges_within_one_workspace_only(school: School) -> None:
    see(school, MONEY, 1)
    elsewhere = school.company.stranger.memberships.get().workspace
    services.observe(
        workspace=elsewhere, observation=core.observe("comment", pattern=MONEY), origin="comment:1"
    )
    services.settle_all()
    assert sorted(Lesson.objects.values_list("workspace_id", "hits")) == sorted(
        [(school.company.workspace.pk, 1), (elsewhere.pk, 1)]
    )


def test_what_people_wrote_is_not_overwritten_by_evidence(school: School) -> None:
    lesson = school.lesson()
    see(school, MONEY, 1, cause="In cart.py: sum(prices)", solution="Another one.")
    services.settle_all()
    lesson.refresh_from_db()
    assert (lesson.hits, lesson.cause, lesson.solution) == (1, "", "")


def test_a_mistake_that_is_seen_again_brings_its_lesson_back(school: School) -> None:
    lesson = school.lesson(archived_at=timezone.now())
    see(school, MONEY, 1)
    services.settle_all()
    lesson.refresh_from_db()
    assert lesson.archived_at is None


def test_the_lightest_makes_room_when_a_workspace_has_too_many(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "MAX_LESSONS", 2)
    useful = school.lesson("Close the file after reading.", successes=5)
    useless = school.lesson("The button needs a name.", failures=5)
    see(school, MONEY, 1)
    services.settle_all()
    useful.refresh_from_db()
    useless.refresh_from_db()
    assert useful.archived_at is None and useless.archived_at is not None


@pytest.mark.django_db(transaction=True)
def test_two_settlers_at_once_make_one_lesson(school: School) -> None:
    for number in range(6):
        see(school, MONEY, number)

    def settle() -> None:
        try:
            services.settle_all()
        finally:
            connection.close()

    threads = [threading.Thread(target=settle) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Lesson.objects.get().hits == 6
    assert not LessonEvidence.objects.filter(lesson=None).exists()


@pytest.mark.django_db(transaction=True)
def test_the_relays_clock_settles_in_a_thread_of_its_own(school: School) -> None:
    see(school, MONEY, 1)
    handlers.settle()
    thread = handlers.settler._thread
    assert thread is not None
    thread.join(timeout=30)
    assert Lesson.objects.get().hits == 1
    handlers.settle()  # nothing waits: nothing is begun
    assert handlers.settler._thread is thread


def test_the_model_is_loaded_before_the_first_mistake_and_not_where_no_agent_works(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap: the first rejection after a start waited for the model, 4.8 s on a busy machine."""
    model = MiniLM()
    warmer = handlers.Helper("warm-lessons", model.warm)
    monkeypatch.setattr(handlers, "warmer", warmer)
    handlers.warm()
    assert not warmer.has_begun
    school.finish()
    begun = time.monotonic()
    handlers.warm()
    assert time.monotonic() - begun < 0.5, "it holds nothing up"
    while not model.is_loaded and time.monotonic() - begun < 60:
        time.sleep(0.05)
    assert model.is_loaded


def test_the_model_is_loaded_when_the_first_run_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()
    monkeypatch.setattr(handlers, "warmer", handlers.Helper("warm-lessons", begun.set))
    for event in (RunStarted, RunStarted):
        for handler in engine_handlers(event(run_id=str(uuid4()), fence=1, run_seq=1, worker="", model="")):
            if handler.__module__ == handlers.__name__:
                handler(event)
    assert begun.wait(5)


def test_what_people_write_makes_room_too_and_is_bounded_with_the_archive(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new mistake is compared with all lessons of its workspace: a loop in somebody's client must not make that endless."""
    monkeypatch.setattr(settling, "MAX_LESSONS", 2)
    monkeypatch.setattr(tending, "MAX_KEPT", 4)

    def write(thing: str) -> None:
        services.write_lesson(
            workspace=school.company.workspace,
            written_by=school.company.member,
            pattern=f"Forgets to close the {thing} after use.",
        )

    for thing in ("file", "socket", "window", "account"):
        write(thing)
    assert Lesson.objects.filter(workspace=school.company.workspace, archived_at=None).count() == 2
    with pytest.raises(Conflict, match="in the archive"):
        write("door")
