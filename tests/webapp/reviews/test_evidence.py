"""Commands on exactly the accepted hunks: really run in the sandbox, told through the real stream and relay."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from tests.webapp.reviews.conftest import BASE, Desk
from webapp.errors import Conflict, Invalid
from webapp.realtime.recorder import record_batch
from webapp.realtime.relay import read_entry
from webapp.reviews import services
from webapp.reviews.models import ChangeSet, Evidence
from webapp.reviews.selectors import load_review
from webapp.reviews.services import evidence as evidence_service
from workers.agents.claims import claim_value, this_place
from workers.config import Config, load_config
from workers.events import STREAM_KEY, EvidenceInterrupted
from workers.queue import EvidenceJob, evidence_claim_key
from workers.tasks.evidence import gather

PROBE = 'python3 -c "import calc; print(calc.f0(), calc.f5(), calc.f11())"'


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[EvidenceJob]:
    """What was rung for; the doorbell itself needs a worker process and is rung in the flow tests."""
    rung: list[EvidenceJob] = []
    monkeypatch.setattr(evidence_service.queue, "submit_evidence", rung.append)
    return rung


def engine_config() -> Config:
    """What a worker would read from the environment."""
    return load_config({"PYAGENT_HOME": str(settings.PYAGENT_HOME), "REDIS_URL": settings.REDIS_URL})


def record_what_was_told(client: redis.Redis) -> None:
    """Do what the relay does with the stream; the relay's own turn would close the connection of this test's transaction."""
    told: Any = client.xrange(STREAM_KEY)
    events = [read_entry(entry_id, fields).event for entry_id, fields in told]
    record_batch([event for event in events if event is not None])
    for entry_id, _ in told:
        client.xdel(STREAM_KEY, entry_id)


@pytest.fixture
def work(desk: Desk, redis_client: redis.Redis) -> Any:
    """Return a function that does a job as a worker does, then lets the relay record what it told."""
    config = engine_config()

    def do(job: EvidenceJob) -> Evidence:
        asyncio.run(gather(job, config=config, client=redis_client))
        record_what_was_told(redis_client)
        return Evidence.objects.get(pk=job.evidence_id)

    return do


def ask(desk: Desk, change_set: ChangeSet, callbacks: Any, command: str = PROBE, **fields: Any) -> Evidence:
    with callbacks(execute=True):
        return services.run_tests_on_accepted(
            change_set=change_set, requested_by=desk.company.member, command=command, **fields
        )


def test_runs_on_exactly_the_accepted_hunks(
    desk: Desk, jobs: list[EvidenceJob], work: Any, django_capture_on_commit_callbacks: Any
) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    lines = [
        line.text.replace("111", "4711") for line in desk.hunks(change_set)[2].hunk.lines if line.kind != "-"
    ]
    desk.decide(change_set, 2, "edited", edited_new_lines=lines)
    row = ask(desk, change_set, django_capture_on_commit_callbacks)
    assert load_review(change_set).header.evidence == "running"
    (job,) = jobs
    done = work(job)
    assert (done.pk, done.status, done.exit_code) == (row.pk, "passed", 0)
    assert done.output.strip() == "100 5 4711"
    assert load_review(change_set).header.evidence == "passed"
    assert desk.read("calc.py") == BASE["calc.py"]
    assert list(desk.repository.worktrees_dir.glob("evidence-*")) == []


def test_is_stale_once_other_hunks_are_accepted_or_a_revision_came(
    desk: Desk, jobs: list[EvidenceJob], work: Any, django_capture_on_commit_callbacks: Any
) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    ask(desk, change_set, django_capture_on_commit_callbacks)
    work(jobs[0])
    desk.decide(change_set, 1, "accepted")
    review = load_review(change_set)
    assert (review.header.evidence, review.evidence[0].why) == ("stale", "other hunks are accepted now")
    services.undo_decision(change_set=change_set, undone_by=desk.company.member)
    assert load_review(change_set).header.evidence == "passed"
    ask(desk, change_set, django_capture_on_commit_callbacks, is_whole=True)
    done = work(jobs[1])
    assert (done.output.strip(), done.subset) == ("100 105 111", None)
    base = change_set.revisions.get().base_commit
    desk.propose({"README.md": b"# x\n"}, run=desk.run(change_set=change_set), base=base)
    assert load_review(change_set).header.evidence == "stale"


def test_says_how_a_command_failed_or_was_lost(
    desk: Desk, jobs: list[EvidenceJob], work: Any, django_capture_on_commit_callbacks: Any
) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    ask(desk, change_set, django_capture_on_commit_callbacks, "printf '\\033[31mno\\0'; exit 3")
    failed = work(jobs[0])
    assert (failed.status, failed.exit_code) == ("failed", 3)
    assert "no" in failed.output
    ask(desk, change_set, django_capture_on_commit_callbacks, "true")
    lost = work(replace(jobs[1], tree="0" * 40))
    assert (lost.status, lost.exit_code) == ("lost", None)
    assert lost.note
    assert load_review(change_set).header.evidence == "failed"


@pytest.mark.django_db(transaction=True)
def test_can_be_stopped_and_shows_its_progress(
    desk: Desk, jobs: list[EvidenceJob], redis_client: redis.Redis
) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    row = services.run_tests_on_accepted(
        change_set=change_set, requested_by=desk.company.member, command="echo begun; sleep 60; echo ended"
    )
    worker = threading.Thread(
        target=lambda: asyncio.run(gather(jobs[0], config=engine_config(), client=redis_client))
    )
    started = time.monotonic()
    worker.start()
    while "begun" not in row.output and time.monotonic() - started < 20:
        time.sleep(0.05)
        record_what_was_told(redis_client)
        row.refresh_from_db()
    assert (row.output, row.status) == ("begun", "running")
    services.cancel_evidence(evidence=row)
    worker.join(timeout=20)
    record_what_was_told(redis_client)
    row.refresh_from_db()
    assert row.status == "cancelled"
    assert time.monotonic() - started < 30
    with pytest.raises(Conflict):
        services.cancel_evidence(evidence=row)


def test_runs_one_command_at_a_time_and_only_on_something(
    desk: Desk, jobs: list[EvidenceJob], django_capture_on_commit_callbacks: Any
) -> None:
    change_set = desk.three_hunks()
    with pytest.raises(Invalid, match="No hunk is accepted"):
        ask(desk, change_set, django_capture_on_commit_callbacks)
    desk.decide(change_set, 0, "accepted")
    with pytest.raises(Invalid):
        ask(desk, change_set, django_capture_on_commit_callbacks, "  ")
    ask(desk, change_set, django_capture_on_commit_callbacks)
    with pytest.raises(Conflict, match="running"):
        ask(desk, change_set, django_capture_on_commit_callbacks)
    assert len(jobs) == 1


class Patience:
    """Stands for a process that has listened for so many seconds."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds

    def heard_for_s(self) -> float | None:
        return self.seconds


@pytest.fixture
def waiting(
    desk: Desk,
    jobs: list[EvidenceJob],
    monkeypatch: pytest.MonkeyPatch,
    redis_client: redis.Redis,
    django_capture_on_commit_callbacks: Any,
) -> Evidence:
    """A command that was rung for once, in a process that has listened for long."""
    monkeypatch.setattr(evidence_service, "_listener", Patience(3600))
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    return ask(desk, change_set, django_capture_on_commit_callbacks)


def reap(row: Evidence, *, silent_s: float) -> Evidence:
    Evidence.objects.update(heard_at=timezone.now() - timedelta(seconds=silent_s))
    services.reap_evidence()
    row.refresh_from_db()
    return row


def test_rings_again_for_a_command_that_nobody_took(waiting: Evidence, jobs: list[EvidenceJob]) -> None:
    """The broker was emptied, or its queue is long: twice rung for it runs once all the same."""
    assert reap(waiting, silent_s=10).status == "running" and len(jobs) == 1
    assert reap(waiting, silent_s=20).status == "running"
    assert [job.evidence_id for job in jobs] == [waiting.pk] * 2
    assert jobs[0] == jobs[1]
    services.reap_evidence()
    assert len(jobs) == 2
    reap(waiting, silent_s=3600)
    assert (waiting.status, waiting.note) == ("lost", "Its worker has not been heard of for too long.")


def test_runs_a_command_again_that_lost_its_worker_but_not_without_end(
    waiting: Evidence, jobs: list[EvidenceJob], redis_client: redis.Redis
) -> None:
    for losses in (1, 2):
        Evidence.objects.update(begun_at=timezone.now())
        redis_client.set(evidence_claim_key(waiting.pk), b"{}")
        assert (reap(waiting, silent_s=60).losses, len(jobs)) == (losses - 1, losses)
        redis_client.delete(evidence_claim_key(waiting.pk))
        assert reap(waiting, silent_s=30).losses == losses - 1
        assert (reap(waiting, silent_s=60).losses, len(jobs)) == (losses, losses + 1)
    Evidence.objects.update(begun_at=timezone.now())
    reap(waiting, silent_s=60)
    assert (waiting.status, len(jobs)) == ("lost", 3)
    assert waiting.note.startswith("Its worker was lost 3 times")


def test_judges_no_worker_that_it_could_not_have_heard(
    waiting: Evidence, jobs: list[EvidenceJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    Evidence.objects.update(begun_at=timezone.now())
    for listened in (None, 10.0):
        monkeypatch.setattr(evidence_service, "_listener", Patience(listened))
        assert (reap(waiting, silent_s=60).status, waiting.losses, len(jobs)) == ("running", 0, 1)


def test_does_not_run_twice_what_was_rung_for_twice(
    waiting: Evidence,
    jobs: list[EvidenceJob],
    work: Any,
    redis_client: redis.Redis,
    django_capture_on_commit_callbacks: Any,
) -> None:
    key = evidence_claim_key(waiting.pk)
    redis_client.set(key, claim_value(1))
    assert work(jobs[0]).status == "running", "a living process holds it"
    dead = {"fence": 1, "at": 0, "host": this_place(), "pid": 2**22 + 1, "started": "1"}
    Evidence.objects.update(begun_at=timezone.now())
    redis_client.set(key, json.dumps(dead))
    with django_capture_on_commit_callbacks(execute=True):
        assert work(jobs[0]).losses == 1, "the row counts, so that it is not tried without end"
    assert jobs == [jobs[0]] * 2
    with django_capture_on_commit_callbacks(execute=True):
        services.record_interrupted(EvidenceInterrupted(evidence_id=waiting.pk))
    assert len(jobs) == 2, "the same death told again is no other one"
    assert work(jobs[1]).status == "passed"
    asyncio.run(gather(jobs[0], config=engine_config(), client=redis_client))
    assert redis_client.xlen(STREAM_KEY) == 0, "it has run already"


def test_says_so_when_the_queue_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def refuse(job: EvidenceJob) -> None:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(evidence_service.queue, "submit_evidence", refuse)
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    row = ask(desk, change_set, django_capture_on_commit_callbacks)
    row.refresh_from_db()
    assert row.status == "lost"
    assert "queue does not answer" in row.note
