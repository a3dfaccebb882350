from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from webapp.agents import leases, services
from webapp.agents.models import Run, Step
from webapp.events.registry import periodic_functions
from workers import events as engine
from workers.queue import Job

pytestmark = pytest.mark.django_db(transaction=True)
LATER = timedelta(seconds=16)


def lose(worker, *, now=None):
    now = now or timezone.now() + LATER
    leases.reap_lost(now=now)
    worker.run.refresh_from_db()


def test_gives_a_lost_run_to_another_worker_with_what_was_finished(worker, rung):
    worker.step("s1", "plan", detail={"text": "First this."})
    worker.step("s2", "command")
    rung()
    lose(worker)
    assert (worker.run.status, worker.run.fence, worker.run.attempts) == ("queued", 2, 2)
    (job,) = rung()
    assert Job(**job).fence == 2
    assert job["next_seq"] == worker.seq + 1
    assert [step["step_id"] for step in job["history"]] == ["s1"]
    assert job["history"][0]["detail"] == {"text": "First this."}
    cut_off = Step.objects.get(step_id="s2")
    assert cut_off.status == "cancelled"
    assert "done again" in cut_off.detail["note"]


def test_leaves_a_run_alone_whose_worker_speaks(worker):
    lose(worker, now=timezone.now() + timedelta(seconds=10))
    assert worker.run.status == Run.Status.RUNNING
    assert worker.run.fence == 1


def test_gives_up_a_run_that_lost_its_worker_three_times_and_says_so(run, worker, rung):
    from tests.webapp.agents.conftest import Engine

    for attempt in (2, 3):
        lose(worker)
        assert run.attempts == attempt or worker.run.attempts == attempt
        worker = Engine(worker.run)
        worker.start()
    lose(worker)
    assert worker.run.status == Run.Status.DEAD
    assert "lost 3 times" in worker.run.error_message
    assert worker.run.error_code == "worker_lost"
    rung()
    lose(worker)
    assert rung() == []


def test_stops_a_run_whose_worker_was_lost_while_stopping(worker, people):
    services.cancel_run(run=worker.run, cancelled_by=people.member)
    lose(worker)
    assert worker.run.status == Run.Status.CANCELLED


def test_puts_the_stop_sign_up_again_for_a_worker_that_missed_it(worker, people, redis_client):
    services.cancel_run(run=worker.run, cancelled_by=people.member)
    key = engine.cancel_key(str(worker.run.pk))
    redis_client.delete(key)
    leases.reap_lost(now=timezone.now())
    assert redis_client.exists(key)


def test_runs_again_at_once_what_a_worker_gives_back(worker, rung):
    worker.step("s1", "plan", detail={})
    rung()
    worker.say(engine.RunInterrupted, seq=0, reason="the worker is shutting down")
    assert (worker.run.status, worker.run.fence, worker.run.attempts) == ("queued", 2, 1)
    (job,) = rung()
    assert [step["step_id"] for step in job["history"]] == ["s1"]


def test_gives_up_a_run_that_is_interrupted_without_end(worker):
    Run.objects.filter(pk=worker.run.pk).update(fence=12)
    worker.fence = 12
    worker.say(engine.RunInterrupted, seq=0, reason="again")
    assert worker.run.status == Run.Status.DEAD


def test_rings_again_for_a_run_that_nobody_took(run, rung):
    Run.objects.filter(pk=run.pk).update(rung_at=timezone.now())
    rung()
    assert leases.ring_forgotten(now=timezone.now() + timedelta(seconds=4)) == []
    assert leases.ring_forgotten(now=timezone.now() + timedelta(seconds=6)) == [run.pk]
    (job,) = rung()
    assert job["fence"] == 1


def test_rings_less_often_the_longer_a_run_waits_but_within_thirty_seconds(run, rung):
    now = timezone.now()
    Run.objects.filter(pk=run.pk).update(created_at=now - timedelta(hours=1), rung_at=now)
    assert leases.ring_forgotten(now=now + timedelta(seconds=15)) == []
    assert leases.ring_forgotten(now=now + timedelta(seconds=21)) == [run.pk]


def test_launches_a_run_whose_process_died_before_it_could(workspace, people, rung):
    run = Run.objects.create(workspace=workspace, requested_by=people.member, agent="tidy", goal="tidy")
    run.job = services.launching.new_job(
        run, conversation=[], revision_of=None, credential=None, definition=None
    )
    run.save()
    assert leases.ring_forgotten(now=timezone.now() + timedelta(seconds=6)) == [run.pk]
    run.refresh_from_db()
    assert rung()[0]["base_commit"] == run.base_commit != ""


def test_judges_no_lease_before_it_has_listened_for_one_whole_lease(worker):
    clock, is_up = [100.0], [True]
    keeper = leases.Keeper(leases.Listener(clock=lambda: clock[0], answers=lambda: is_up[0]))
    late = timezone.now() + timedelta(minutes=5)
    for second, up, expected in (
        (100, True, "running"),
        (110, True, "running"),
        (112, False, "running"),
        (116, True, "running"),
        (130, True, "running"),
        (131, True, "queued"),
    ):
        clock[0], is_up[0] = second, up
        keeper.reap(now=late)
        worker.run.refresh_from_db()
        assert worker.run.status == expected, second


def test_is_part_of_the_relays_housekeeping():
    assert "webapp.agents.handlers.reap_leases" in [duty.name for duty in periodic_functions()]


def test_counts_a_loss_before_the_workers_first_word_was_recorded(run, rung):
    """Its claim was taken, so no later ring with this fence would ever be taken."""
    from webapp.agents.services.losing import record_interrupted

    rung()
    for attempt in (2, 3):
        event = engine.RunInterrupted(
            run_id=str(run.pk), fence=attempt - 1, run_seq=0, reason="gone", is_loss=True
        )
        record_interrupted(event)
        record_interrupted(event)
        run.refresh_from_db()
        assert (run.status, run.fence, run.attempts) == ("queued", attempt, attempt)
        assert [job["fence"] for job in rung()] == [attempt]
    record_interrupted(
        engine.RunInterrupted(run_id=str(run.pk), fence=3, run_seq=0, reason="gone", is_loss=True)
    )
    run.refresh_from_db()
    assert run.status == Run.Status.DEAD
