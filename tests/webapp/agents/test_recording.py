from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from webapp.agents.models import Run, Step
from webapp.agents.services import recording
from webapp.events.groups import workspace_group
from webapp.events.registry import engine_handlers
from workers import events as engine

pytestmark = pytest.mark.django_db(transaction=True)


def record(event):
    """Run the handlers of an event as the relay does: in one transaction."""
    with transaction.atomic():
        for handler in engine_handlers(event):
            handler(event)


def news_of(redis_client, workspace_id):
    import orjson

    return [
        orjson.loads(fields[b"body"])
        for _, fields in redis_client.xrange(workspace_group(workspace_id).stream_key)
    ]


def test_records_who_took_the_run(worker):
    assert worker.run.status == Run.Status.RUNNING
    assert worker.run.worker == "host:1"
    assert worker.run.started_at is not None


def test_prolongs_the_lease_with_each_sign_of_life(worker):
    Run.objects.filter(pk=worker.run.pk).update(lease_expires_at=timezone.now())
    worker.say(engine.Heartbeat, seq=0, tokens_per_s=12.5)
    assert worker.run.lease_expires_at > timezone.now() + timedelta(seconds=14)
    assert worker.run.tokens_per_s == 12.5


def test_changes_nothing_when_an_event_comes_twice(worker):
    started = worker.say(engine.StepStarted, step_id="s1", parent_id=None, kind="model_call", title="Ask")
    ended = worker.say(
        engine.StepFinished,
        step_id="s1",
        status="ok",
        duration_ms=10,
        input_tokens=100,
        output_tokens=20,
        cost_usd=0.5,
    )
    for event in (started, ended, started, ended):
        record(event)
    worker.run.refresh_from_db()
    assert Step.objects.count() == 1
    assert Step.objects.get().status == "ok"
    assert (worker.run.input_tokens, worker.run.output_tokens, worker.run.cost_usd) == (100, 20, 0.5)


def test_refuses_what_an_overtaken_worker_still_says(worker):
    Run.objects.filter(pk=worker.run.pk).update(fence=2)
    event = worker.make(engine.StepStarted, step_id="s1", parent_id=None, kind="thought", title="Old")
    with transaction.atomic():
        recording.record_step_started(event)
        recording.record_finished(worker.make(engine.RunFinished, answer="Old"))
    worker.run.refresh_from_db()
    assert not Step.objects.exists()
    assert worker.run.status == Run.Status.RUNNING


def test_adds_up_cost_while_every_price_is_known(worker):
    worker.step("s1", "model_call", input_tokens=10, output_tokens=1, cost_usd=0.25)
    worker.step("s2", "tool_call", output_tokens=0)
    worker.step("s3", "model_call", input_tokens=10, output_tokens=1, cost_usd=0.5)
    assert worker.run.cost_usd == 0.75


def test_makes_the_whole_cost_unknown_for_good_by_one_unknown_price(worker):
    worker.step("s1", "model_call", input_tokens=10, output_tokens=1, cost_usd=0.25)
    worker.step("s2", "model_call", input_tokens=10, output_tokens=1, cost_usd=None)
    worker.step("s3", "model_call", input_tokens=10, output_tokens=1, cost_usd=0.5)
    assert worker.run.cost_usd is None
    assert worker.run.input_tokens == 30


def test_begins_a_step_anew_that_was_cut_off(worker):
    worker.step("s1", "command")
    Step.objects.update(status="cancelled", duration_ms=7)
    worker.step("s1", "command")
    step = Step.objects.get()
    assert (step.status, step.duration_ms, step.seq) == ("running", None, worker.seq)


def test_keeps_hostile_output_storable_and_bounded(worker):
    worker.step("s1", "command", detail={"output": "\x00\x1b[2J" + "x" * 10_000_000, "lone": "\ud800"})
    detail = Step.objects.get().detail
    assert len(detail["output"]) < 300_000
    assert "\x00" not in detail["output"]


@pytest.mark.parametrize(
    ("kind", "fields", "status", "open_step"),
    [
        (engine.RunFinished, {"answer": "All tests pass."}, "finished", "cancelled"),
        (
            engine.RunFailed,
            {"code": "provider_timeout", "message": "No answer.", "retryable": True},
            "failed",
            "failed",
        ),
        (engine.RunStopped, {}, "cancelled", "cancelled"),
    ],
)
def test_ends_the_run_and_its_open_steps(worker, kind, fields, status, open_step):
    worker.step("s1")
    worker.say(kind, **fields)
    assert worker.run.status == status
    assert worker.run.finished_at is not None
    assert worker.run.lease_expires_at is None
    assert Step.objects.get().status == open_step


def test_tells_the_workspace_small_news(worker, redis_client):
    redis_client.delete(workspace_group(worker.run.workspace_id).stream_key)
    worker.step("s1", "command", detail={"output": "x" * 50_000})
    worker.say(engine.RunFinished, answer="y" * 50_000)
    news = news_of(redis_client, worker.run.workspace_id)
    assert [item["type"] for item in news if item["type"].startswith(("Step", "Run"))] == [
        "StepStarted",
        "StepFinished",
        "RunChanged",
    ]
    assert all(len(repr(item)) < 5_000 for item in news if item["type"].startswith(("Step", "Run")))


def test_says_each_runs_end_once_to_the_apps_above(worker, monkeypatch):
    from webapp.events import registry

    told = []
    monkeypatch.setattr(registry, "_run_ended", [lambda run: told.append((run.pk, run.status))])
    ended = worker.say(engine.RunFinished, answer="Done.")
    record(ended)
    assert told == [(worker.run.pk, "finished")]
