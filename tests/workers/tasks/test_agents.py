"""The Celery task in a real worker process: killed, stopped, rung for twice. F1 and F2 of the fault list."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.framework.engine_relay import EngineRelay
from tests.framework.otlp_collector import running_collector
from tests.framework.provider_double.script import Call, Say
from tests.framework.provider_double.server import ProviderDouble
from tests.framework.redis import RedisServer
from tests.framework.repos import make_repository
from workers.changes.repository import Repository
from workers.events import ChangeProposed, RunFinished, RunInterrupted, RunStarted, StepStarted
from workers.queue import RUN_TASK, Job

ROOT = Path(__file__).resolve().parents[3]


class Worker:
    """A Celery worker of one child, in a process group of its own."""

    def __init__(self, home: Path, redis_url: str, environment: Mapping[str, str] | None = None) -> None:
        self.log = home / "worker.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYAGENT_HOME": str(home),
            "REDIS_URL": redis_url,
            **(environment or {}),
        }
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "workers.celery",
            "worker",
            "-Q",
            "cpu",
            "-c",
            "1",
            "-l",
            "INFO",
        ]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill_all(self) -> None:
        """End the parent and its children with SIGKILL, as a power cut would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)

    def restart(self) -> None:
        self.kill_all()
        self.process = self._start()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "workspaces").mkdir()
    return tmp_path


@pytest.fixture
def repository(home: Path) -> Repository:
    return make_repository(home / "workspaces", {"a.py": b"import os\n\nx = 1\n"}, name="1")


@pytest.fixture
def worker(home: Path, redis_server: RedisServer, engine_relay: EngineRelay) -> Iterator[Worker]:
    worker = Worker(home, redis_server.url)
    yield worker
    worker.kill_all()


Ring = Callable[[Job], None]


@pytest.fixture
def ring(redis_server: RedisServer) -> Ring:
    """Return a function that puts a job on the broker, as `workers.queue.submit_run` does in the web app."""
    from workers.celery import app

    url = redis_server.url.replace("unix://", "redis+socket://", 1)

    def submit(job: Job) -> None:
        with app.connection_for_write(url) as connection:
            app.send_task(RUN_TASK, args=[asdict(job)], queue="cpu", priority=6, connection=connection)

    return submit


def tidy_job(repository: Repository, **fields: Any) -> Job:
    plain: dict[str, Any] = {"agent": "tidy", "goal": "", "model": {}}
    return Job(
        run_id=str(uuid.uuid4()), fence=1, workspace_id=1, base_commit=repository.head(), **(plain | fields)
    )


def coder_job(repository: Repository, double: ProviderDouble) -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }
    return tidy_job(repository, agent="coder", goal="write the log", model=model)


def resumed(relay: EngineRelay, job: Job) -> Job:
    """Return the job as the web app hands it out again."""
    relay.fences[job.run_id] = job.fence + 1
    history = relay.history(job.run_id)
    return replace(job, fence=job.fence + 1, history=history, next_seq=relay.next_seq(job.run_id))


def child_pid(relay: EngineRelay, job: Job) -> int:
    return int(relay.of(RunStarted, job.run_id)[-1].worker.rpartition(":")[2])


def test_runs_a_job_from_the_broker_to_its_proposal(
    worker: Worker, repository: Repository, ring: Ring, engine_relay: EngineRelay
) -> None:
    job = tidy_job(repository)
    ring(job)
    engine_relay.wait_for(lambda: engine_relay.of(RunFinished, job.run_id), timeout_s=40)
    assert engine_relay.of(ChangeProposed, job.run_id)


async def test_a_killed_child_is_noticed_at_once_and_nothing_finished_is_done_again(
    worker: Worker,
    repository: Repository,
    ring: Ring,
    engine_relay: EngineRelay,
    provider_double: ProviderDouble,
) -> None:
    append = Call("run_command", {"command": "echo done >> log.txt"})
    script = [
        Say("", (append,)),
        Say("word " * 200, (append,), token_wait_s=0.05),
        Say("", (Call("finish", {"answer": "ok"}),)),
    ]
    provider_double.brain = lambda asked: script[
        sum(message["role"] == "assistant" for message in asked.messages)
    ]
    job = coder_job(repository, provider_double)
    ring(job)

    def is_in_turn_two() -> bool:
        return any(step.title == "m, turn 2" for step in engine_relay.of(StepStarted, job.run_id))

    await asyncio.to_thread(engine_relay.wait_for, is_in_turn_two, timeout_s=40)
    killed_at = time.monotonic()
    os.kill(child_pid(engine_relay, job), signal.SIGKILL)

    def was_given_back() -> bool:
        return any(isinstance(event, RunInterrupted) and event.is_loss for event in engine_relay.news)

    await asyncio.to_thread(engine_relay.wait_for, was_given_back, timeout_s=20)
    assert time.monotonic() - killed_at < 10
    script[1] = Say("", (append,))
    again = resumed(engine_relay, job)
    ring(again)
    await asyncio.to_thread(
        engine_relay.wait_for, lambda: engine_relay.of(RunFinished, job.run_id), timeout_s=40
    )
    (proposal,) = engine_relay.of(ChangeProposed, job.run_id)
    assert repository.read_at(proposal.commit, "log.txt") == b"done\ndone\n"
    assert [event.run_seq for event in engine_relay.events] == list(range(1, len(engine_relay.events) + 1))


def test_a_worker_that_died_altogether_leaves_a_ring_that_does_not_run_stale(
    worker: Worker, repository: Repository, ring: Ring, engine_relay: EngineRelay
) -> None:
    engine_relay.deafen()  # the run waits for its first acknowledgement, so that it can be killed in its middle
    job = tidy_job(repository)
    ring(job)
    client = engine_relay._server.client
    engine_relay.wait_for(lambda: client.exists(f"pyagent:run:{job.run_id}:claim"), timeout_s=40)
    worker.restart()
    engine_relay.answers.set()
    ring(job)  # what the broker does with the dead worker's message, when its visibility time is over
    engine_relay.wait_for(
        lambda: any(isinstance(event, RunInterrupted) and event.is_loss for event in engine_relay.news),
        timeout_s=40,
    )
    assert not engine_relay.of(RunFinished, job.run_id)
    again = resumed(engine_relay, job)
    ring(again)
    engine_relay.wait_for(lambda: engine_relay.of(RunFinished, job.run_id), timeout_s=40)


def test_a_second_ring_for_the_same_run_does_nothing(
    worker: Worker, repository: Repository, ring: Ring, engine_relay: EngineRelay
) -> None:
    job = tidy_job(repository)
    ring(job)
    ring(job)
    engine_relay.wait_for(lambda: engine_relay.of(RunFinished, job.run_id), timeout_s=40)
    last = tidy_job(repository)
    ring(last)
    engine_relay.wait_for(lambda: engine_relay.of(RunFinished, last.run_id), timeout_s=20)
    assert len(engine_relay.of(RunStarted, job.run_id)) == 1
    assert not any(isinstance(event, RunInterrupted) for event in engine_relay.news)


async def test_sigterm_hands_the_run_back_and_ends_in_time(
    worker: Worker,
    repository: Repository,
    ring: Ring,
    engine_relay: EngineRelay,
    provider_double: ProviderDouble,
) -> None:
    provider_double.say(Say("word " * 2000, token_wait_s=0.05))
    job = coder_job(repository, provider_double)
    ring(job)

    def is_asking() -> bool:
        return any(step.kind == "model_call" for step in engine_relay.of(StepStarted, job.run_id))

    await asyncio.to_thread(engine_relay.wait_for, is_asking, timeout_s=40)
    worker.process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(worker.process.wait, 8)
    assert any(isinstance(event, RunInterrupted) and not event.is_loss for event in engine_relay.news)
    client: redis.Redis = engine_relay._server.client
    assert client.llen("pyagent:celery:cpu") == 0


def test_a_worker_process_exports_its_spans_when_told_where(
    home: Path, redis_server: RedisServer, engine_relay: EngineRelay, repository: Repository, ring: Ring
) -> None:
    with running_collector() as collector:
        worker = Worker(home, redis_server.url, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint})
        try:
            job = tidy_job(repository)
            ring(job)
            engine_relay.wait_for(lambda: engine_relay.of(RunFinished, job.run_id), timeout_s=60)
            assert collector.wait_for("invoke_agent tidy")["attributes"]["pyagent.run.ending"] == "finished"
        finally:
            worker.kill_all()
