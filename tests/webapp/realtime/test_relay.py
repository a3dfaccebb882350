"""The relay: engine events become rows once, in order, and workers learn what was committed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import redis
from django.db import OperationalError, connection

from tests.framework.lateness import lateness_s
from tests.framework.people import Company
from tests.framework.redis import RedisServer
from tests.framework.stack import ROOT
from tests.framework.web import database_url_of_tests
from webapp.agents.models import Run, Step
from webapp.events import registry
from webapp.realtime.recorder import NO_RUN, record_batch
from webapp.realtime.relay import HEARTBEAT_KEY, Relay
from workers.events import (
    DEAD_KEY,
    RELAY_GROUP,
    STREAM_KEY,
    Ack,
    EngineEvent,
    Heartbeat,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    acks_key,
    to_wire,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(company: Company) -> Run:
    return Run.objects.create(
        workspace=company.workspace, requested_by=company.member, agent="coder", goal="x"
    )


@pytest.fixture
def relay(redis_client: redis.Redis) -> Relay:
    return Relay(redis_client)


def started(run: Run, seq: int = 1, fence: int = 1) -> EngineEvent:
    return RunStarted(run_id=str(run.pk), fence=fence, run_seq=seq, worker="w1", model="m")


def step(run: Run, seq: int, name: str = "", fence: int = 1) -> EngineEvent:
    return StepStarted(
        run_id=str(run.pk),
        fence=fence,
        run_seq=seq,
        step_id=name or f"s{seq}",
        parent_id=None,
        kind="thought",
        title=f"step {seq}",
    )


def send(client: redis.Redis, *events: EngineEvent) -> None:
    for event in events:
        client.xadd(STREAM_KEY, {"event": orjson.dumps(to_wire(event))})


def acks(client: redis.Redis, run: Run) -> list[Ack]:
    entries: Any = client.xrange(acks_key(str(run.pk)))
    return [Ack.from_fields({k.decode(): v.decode() for k, v in fields.items()}) for _, fields in entries]


def work(relay: Relay, client: redis.Redis) -> None:
    """Let the relay do what there is to do."""
    while relay.turn(block_ms=1):
        pass
    pending: Any = client.xpending(STREAM_KEY, RELAY_GROUP)
    assert pending["pending"] == 0
    assert client.xlen(STREAM_KEY) == 0


def test_records_a_run_in_order_and_answers(relay: Relay, run: Run, redis_client: redis.Redis):
    send(redis_client, started(run), step(run, 2), step(run, 3))
    work(relay, redis_client)
    run.refresh_from_db()
    assert (run.last_seq, run.status, run.worker) == (3, "running", "w1")
    assert list(run.steps.values_list("step_id", flat=True)) == ["s2", "s3"]
    assert acks(redis_client, run)[-1] == Ack(seq=3)
    assert 0 < redis_client.ttl(acks_key(str(run.pk))) <= 3600


def test_changes_nothing_when_events_come_again(relay: Relay, run: Run, redis_client: redis.Redis):
    events = [started(run), step(run, 2)]
    send(redis_client, *events, *events)
    work(relay, redis_client)
    send(redis_client, *events)
    redis_client.delete(acks_key(str(run.pk)))
    work(relay, redis_client)
    assert Step.objects.count() == 1
    assert acks(redis_client, run)[-1] == Ack(seq=2), "a worker that missed the answer must be told again"


def test_drops_what_comes_before_its_time_and_says_how_far_it_is(
    relay: Relay, run: Run, redis_client: redis.Redis
):
    send(redis_client, started(run), step(run, 3), step(run, 4))
    work(relay, redis_client)
    assert Step.objects.count() == 0
    assert acks(redis_client, run)[-1] == Ack(seq=1)
    send(redis_client, step(run, 2), step(run, 3), step(run, 4))
    work(relay, redis_client)
    assert list(run.steps.values_list("seq", flat=True)) == [2, 3, 4]
    assert acks(redis_client, run)[-1] == Ack(seq=4)


def test_turns_an_overtaken_worker_away(relay: Relay, run: Run, redis_client: redis.Redis):
    Run.objects.filter(pk=run.pk).update(fence=3)
    send(redis_client, started(run, fence=2))
    work(relay, redis_client)
    run.refresh_from_db()
    assert (run.last_seq, run.status) == (0, "queued")
    assert acks(redis_client, run) == [Ack(superseded=3)]
    send(redis_client, started(run, fence=3), step(run, 2, fence=2))
    work(relay, redis_client)
    assert set(acks(redis_client, run)) == {Ack(superseded=3), Ack(seq=1)}, (
        "both workers read the same stream"
    )
    assert Step.objects.count() == 0


def test_stops_a_worker_whose_run_has_ended_or_is_gone(relay: Relay, run: Run, redis_client: redis.Redis):
    Run.objects.filter(pk=run.pk).update(status=Run.Status.CANCELLED, last_seq=1)
    send(redis_client, step(run, 2), Heartbeat(run_id=str(run.pk), fence=1, run_seq=0))
    work(relay, redis_client)
    assert acks(redis_client, run) == [Ack(superseded=2)]
    gone = Run(workspace=run.workspace, agent="x", goal="x")
    send(redis_client, started(gone))
    work(relay, redis_client)
    assert acks(redis_client, gone) == [Ack(superseded=NO_RUN)]


def test_still_confirms_the_end_of_a_run_that_has_ended(relay: Relay, run: Run, redis_client: redis.Redis):
    end = RunFinished(run_id=str(run.pk), fence=1, run_seq=2, answer="done")
    send(redis_client, started(run), end, end)
    work(relay, redis_client)
    assert acks(redis_client, run)[-1] == Ack(seq=2)


def test_takes_heartbeats_as_news_without_a_number(relay: Relay, run: Run, redis_client: redis.Redis):
    beat = Heartbeat(run_id=str(run.pk), fence=1, run_seq=0, tokens_per_s=7.5)
    send(redis_client, started(run), beat, beat)
    work(relay, redis_client)
    run.refresh_from_db()
    assert (run.last_seq, run.tokens_per_s) == (1, 7.5)
    assert acks(redis_client, run) == [Ack(seq=1)]


@pytest.mark.parametrize(
    "fields",
    [
        {"event": b"{"},
        {"event": b"[]"},
        {"event": b'"x"'},
        {"event": b'{"type":"Nonsense","version":1}'},
        {"event": b'{"type":"RunStarted","version":99}'},
        {"event": b'{"type":"RunStarted","version":1,"run_id":"x"}'},
        {"event": b'{"type":"RunFinished","version":1,"run_id":1,"fence":1,"run_seq":1,"answer":""}'},
        {"event": b'{"type":"RunFinished","version":1,"run_id":"x","fence":1,"run_seq":"1","answer":""}'},
        {"other": b"x"},
        {"event": b"\xff"},
    ],
)
def test_sets_unreadable_events_aside(
    relay: Relay, run: Run, redis_client: redis.Redis, fields: dict[str, bytes]
):
    redis_client.xadd(STREAM_KEY, fields)
    send(redis_client, started(run))
    work(relay, redis_client)
    run.refresh_from_db()
    assert run.last_seq == 1
    dead: Any = redis_client.xrange(DEAD_KEY)
    assert len(dead) == 1
    assert dead[0][1][b"problem"]


def test_answers_a_run_id_that_is_none_and_goes_on(relay: Relay, run: Run, redis_client: redis.Redis):
    send(redis_client, RunFinished(run_id="not-a-uuid", fence=1, run_seq=1, answer=""), started(run))
    work(relay, redis_client)
    run.refresh_from_db()
    assert run.last_seq == 1


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> dict[type[EngineEvent], list[Callable[[Any], None]]]:
    """The registered handlers, to add to for the length of a test."""
    registered = {kind: list(functions) for kind, functions in registry._engine_handlers.items()}
    monkeypatch.setattr(registry, "_engine_handlers", registered)
    return registered


def test_sets_an_event_aside_that_no_handler_can_take_and_lets_the_next_through(
    relay: Relay,
    run: Run,
    redis_client: redis.Redis,
    handlers: dict[type[EngineEvent], list[Callable[[Any], None]]],
):
    def refuse(event: StepStarted) -> None:
        if event.step_id == "poison":
            raise RuntimeError("cannot")

    handlers[StepStarted].insert(0, refuse)
    other = Run.objects.create(workspace=run.workspace, agent="coder", goal="y")
    send(redis_client, started(run), step(run, 2, "poison"), started(other), step(run, 3))
    work(relay, redis_client)
    run.refresh_from_db()
    other.refresh_from_db()
    assert (run.last_seq, other.last_seq) == (3, 1)
    assert list(run.steps.values_list("step_id", flat=True)) == ["s3"]
    assert acks(redis_client, run)[-1] == Ack(seq=3)
    dead: Any = redis_client.xrange(DEAD_KEY)
    assert b"RuntimeError: cannot" in dead[0][1][b"problem"]


def test_writes_nothing_of_a_step_when_a_later_handler_fails(
    relay: Relay,
    run: Run,
    redis_client: redis.Redis,
    handlers: dict[type[EngineEvent], list[Callable[[Any], None]]],
):
    def fail(event: StepStarted) -> None:
        raise RuntimeError("after the row was written")

    handlers[StepStarted].append(fail)
    record_batch([started(run)])
    with pytest.raises(RuntimeError):
        record_batch([step(run, 2)])
    assert Step.objects.count() == 0
    run.refresh_from_db()
    assert run.last_seq == 1


def test_takes_over_what_another_relay_read_and_never_answered(
    relay: Relay, run: Run, redis_client: redis.Redis
):
    redis_client.xgroup_create(STREAM_KEY, RELAY_GROUP, id="0", mkstream=True)
    send(redis_client, started(run), step(run, 2))
    redis_client.xreadgroup(RELAY_GROUP, "a-relay-that-died", {STREAM_KEY: ">"})
    work(relay, redis_client)
    run.refresh_from_db()
    assert run.last_seq == 2


def test_waits_for_the_database_and_loses_nothing(relay: Relay, run: Run, redis_client: redis.Redis):
    """The connection refuses as often as it would in an outage of some seconds, first in the batch, then at its commit."""
    failures = iter([True] * 3)

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "agents_run" in sql and next(failures, False):
            raise OperationalError("the database system is shutting down")
        return execute(sql, params, many, context)

    send(redis_client, started(run), step(run, 2))
    with connection.execute_wrapper(refuse):
        work(relay, redis_client)
    run.refresh_from_db()
    assert run.last_seq == 2
    assert redis_client.xlen(DEAD_KEY) == 0


class RelayThread:
    """A relay at work beside the test, as the process is."""

    def __init__(self, server: RedisServer) -> None:
        self.relay = Relay(server.client)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.relay.run()
        finally:
            connection.close()

    def stop(self) -> None:
        self.relay.stop()
        self.thread.join(timeout=10)


@pytest.fixture
def at_work(redis_server: RedisServer, redis_client: redis.Redis) -> Iterator[RelayThread]:
    running = RelayThread(redis_server)
    yield running
    running.stop()


def wait_for(check: Callable[[], bool], *, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def last_seq(run: Run) -> int:
    return Run.objects.values_list("last_seq", flat=True).get(pk=run.pk)


def test_goes_on_after_redis_was_killed_and_after_it_was_emptied(
    at_work: RelayThread, run: Run, redis_server: RedisServer
):
    send(redis_server.client, started(run))
    wait_for(lambda: last_seq(run) == 1)
    redis_server.kill()
    time.sleep(0.3)
    redis_server.start()
    send(redis_server.client, step(run, 2))
    wait_for(lambda: last_seq(run) == 2)
    redis_server.client.flushall()
    time.sleep(0.2)
    send(redis_server.client, step(run, 3))
    wait_for(lambda: last_seq(run) == 3)
    wait_for(lambda: redis_server.client.exists(HEARTBEAT_KEY) == 1)


def test_does_housekeeping_and_survives_what_it_raises(
    run: Run, redis_server: RedisServer, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
):
    done: list[str] = []

    def fail() -> None:
        done.append("failed")
        raise RuntimeError("no")

    duties = [
        registry.Periodic("fails", 0.05, fail),
        registry.Periodic("works", 0.05, lambda: done.append("worked")),
    ]
    monkeypatch.setattr("webapp.realtime.relay.periodic_functions", lambda: duties)
    running = RelayThread(redis_server)
    wait_for(lambda: done.count("worked") >= 3 and done.count("failed") >= 3)
    running.stop()


def test_ends_within_a_second_when_asked_and_leaves_nothing_half(run: Run, redis_client: redis.Redis):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database_url_of_tests(),
    }
    environment.pop("PYAGENT_TEST_DATABASE", None)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "relay"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    send(redis_client, started(run), *(step(run, seq) for seq in range(2, 400)))
    wait_for(lambda: last_seq(run) > 1, timeout_s=20)
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    assert process.wait(timeout=10) == 0
    took = time.monotonic() - asked
    assert took < 2 or took < 2 + lateness_s()
    assert Step.objects.filter(run=run).count() == last_seq(run) - 1


def test_records_a_burst_fast(relay: Relay, run: Run, redis_client: redis.Redis):
    """Many events a transaction: one by one, each would wait for the disk."""
    send(redis_client, started(run))
    for seq in range(2, 602, 2):
        end = StepFinished(
            run_id=str(run.pk), fence=1, run_seq=seq + 1, step_id=f"s{seq}", status="ok", duration_ms=1
        )
        send(redis_client, step(run, seq), end)
    begun = time.perf_counter()
    work(relay, redis_client)
    took = time.perf_counter() - begun
    assert last_seq(run) == 601
    assert took < 10, f"{took:.1f} s for 601 events"
