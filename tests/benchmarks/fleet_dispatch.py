"""What admission before Celery costs: `python -m tests.benchmarks.fleet_dispatch`.

A real Redis, a real node process, a real Celery worker of eight processes; the relay is the tests' own, so that no database is
measured. Times are those of the inbox's entries, which Redis stamps.

Dispatch: how long after a slot was given back the next run began in it. These runs name an agent that does not exist, and their
end is acknowledged after about a second: they hold their slots and need no processor, so that dispatch is measured, not agents.
Handover: how long after a Critical run was submitted it began in the place of a `@coder` that listens to a streaming model. The
decision is the core's own CPU time with a full waiting room.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import psutil
import redis

from tests.benchmarks.noise import quantile, report_noise, verdict
from tests.framework.engine_relay import EngineRelay
from tests.framework.provider_double.script import Asked, Say
from tests.framework.provider_double.threaded import running_double
from tests.framework.redis import RedisServer
from tests.framework.repos import make_repository
from workers.events import EngineEvent, RunSuspended, suspend_key
from workers.fleet.core import FleetCore
from workers.fleet.entries import LEVELS, Crew, Request, Resources
from workers.queue import Job, read_fleet, submit_run
from workers.queue.fleet import INBOX_KEY
from workers.queue.request import request_of

ROOT = Path(__file__).resolve().parents[2]
SLOTS, RUNS, HANDOVERS = 8, 100, 8
REGISTERED, SUSPENDED, WAITING = 1000, 200, 1000
MAX_OVERHEAD_MS, MAX_HANDOVER_S, MAX_DECISION_MS, MAX_MEMORY_MB = 25, 1.0, 50, 100


class SlowRelay(EngineRelay):
    """Acknowledges after `wait_s`, more or less, without keeping others waiting."""

    wait_s = 0.0

    def _take(self, client: redis.Redis, event: EngineEvent) -> None:
        if not self.wait_s:
            super()._take(client, event)
            return
        wait_s = self.wait_s * random.uniform(0.7, 1.3)
        threading.Timer(wait_s, super()._take, (self._server.client, event)).start()


class Bench:
    """Everything that runs, and the runs that are called."""

    def __init__(self, folder: Path, server: RedisServer, double_url: str) -> None:
        self.server, self.client = server, server.client
        self.relay = SlowRelay(server)
        self.relay.start()
        (folder / "workspaces").mkdir()
        self.base = make_repository(folder / "workspaces", {"a.py": b"x = 1\n"}, name="1").head()
        self.double_url = double_url
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYAGENT_HOME": str(folder),
            "REDIS_URL": server.url,
        }
        log = (folder / "log").open("ab")
        celery = ["-m", "celery", "-A", "workers.celery", "worker", "-Q", "cpu,gpu", "-c", str(SLOTS)]
        self.processes = [
            subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            for words in (
                ["-m", "workers.node"],
                [*celery, "--without-gossip", "--without-mingle", "-l", "INFO"],
            )
        ]
        self.node = psutil.Process(self.processes[0].pid)
        self.wait_for(
            lambda: (
                (state := read_fleet(self.client)) is not None and sum(n.slots for n in state.nodes) == SLOTS
            )
        )

    def count_running(self) -> int:
        state = read_fleet(self.client)
        return 0 if state is None else sum(run.state == "running" for run in state.running)

    def wait_for(self, seen: Any, *, within_s: float = 60.0, pause_s: float = 0.01) -> None:
        ends_at = time.monotonic() + within_s
        while not seen():
            if time.monotonic() > ends_at:
                raise RuntimeError(f"not seen in time; the fleet: {read_fleet(self.client)}")
            time.sleep(pause_s)

    def job(self, priority: str = "standard", **fields: Any) -> Job:
        model = {"provider": "openai", "model": "m", "base_url": self.double_url, "context_tokens": 32_000}
        return Job(
            run_id=str(uuid.uuid4()),
            fence=1,
            workspace_id=1,
            goal="say something",
            base_commit=self.base,
            priority=priority,
            **({"agent": "coder", "model": model} | fields),
        )

    def news(self, *, since_s: float = 0.0) -> Iterator[tuple[float, str, str]]:
        """Yield time in ms, operation and run of each entry of the inbox from `since_s` (seconds since the epoch) on."""
        told: Any = self.client.xrange(INBOX_KEY, min=str(int(since_s * 1000)))
        for entry_id, fields in told:
            yield (
                float(entry_id.partition(b"-")[0]),
                fields[b"op"].decode(),
                fields.get(b"run_id", b"").decode(),
            )

    def cpu_ms(self) -> list[float]:
        """Return the processor time of the node, and of the worker with its children."""
        worker = psutil.Process(self.processes[1].pid)
        groups = [[self.node], [worker, *worker.children(recursive=True)]]
        times = [[process.cpu_times() for process in group] for group in groups]
        return [1000 * sum(one.user + one.system for one in group) for group in times]

    def is_asked(self, jobs: Iterable[Job]) -> bool:
        """Whether one of these runs is asked to suspend now."""
        fences = {suspend_key(job.run_id): str(job.fence).encode() for job in jobs}
        signs: Any = self.client.mget(list(fences))
        return any(sign == fence for sign, fence in zip(signs, fences.values(), strict=True))

    def has_begun(self, job: Job) -> bool:
        news = self.news(since_s=time.time() - 1)
        return any(op == "beat" and run_id == job.run_id for _, op, run_id in news)

    def close(self) -> None:
        for process in self.processes:
            os.killpg(process.pid, 9)
            process.wait(10)
        self.relay.stop()


@contextmanager
def opened() -> Iterator[tuple[Bench, Any]]:
    """Give a bench on servers of its own."""
    with tempfile.TemporaryDirectory(prefix="pyagent-fleet-") as name, running_double() as double:
        folder = Path(name)
        server = RedisServer(folder / "redis", folder / "redis.sock")
        server.start()
        bench = Bench(folder, server, double.base_url("openai"))
        try:
            yield bench, double
        finally:
            bench.close()
            time.sleep(0.5)  # until the double has seen that its listeners are gone
            server.kill()


def answers(tokens: int) -> Any:
    def brain(_asked: Asked) -> Say:
        return Say("word " * tokens, token_wait_s=0.05)

    return brain


def measure_dispatch(bench: Bench) -> tuple[list[float], list[float]]:
    """Return for each run after the first eight how many ms its slot stood empty, and the CPU ms a run of node and worker."""
    before = bench.cpu_ms()
    bench.relay.wait_s = 1.0
    bench.client.delete(INBOX_KEY)
    jobs = [bench.job(agent="nobody", model={}) for _ in range(RUNS)]
    for job in jobs:
        submit_run(job, client=bench.client)
    ids = {job.run_id for job in jobs}
    # Looked at seldom: this process must not take the processor from those that it measures.
    bench.wait_for(
        lambda: len({run for _, op, run in bench.news() if op == "left"} & ids) == RUNS,
        within_s=600,
        pause_s=0.5,
    )
    time.sleep(0.5)
    began: dict[str, float] = {}
    left: dict[str, float] = {}
    for at_ms, op, run_id in bench.news():
        if op == "beat":
            began.setdefault(run_id, at_ms)
        elif op == "left":
            left[run_id] = at_ms  # told twice: when its end is known, and when its process is free
    bench.relay.wait_s = 0.0
    starts = sorted(began.values())[SLOTS:]
    used = [(now - then) / RUNS for now, then in zip(bench.cpu_ms(), before, strict=True)]
    return [start - end for start, end in zip(starts, sorted(left.values()), strict=False)], used


def measure_handover(bench: Bench, double: Any) -> tuple[list[float], list[float]]:
    """Return for each Critical run in s: from its submission until a run was asked, and from there until it began."""
    double.brain = answers(2000)
    low = {job.run_id: job for job in (bench.job("low") for _ in range(SLOTS))}
    is_over = threading.Event()

    def ring_again() -> None:
        """What the web app does: a run that made room is queued again at once."""
        seen = 0
        while not is_over.is_set():
            events = bench.relay.of(RunSuspended)
            for event in events[seen:]:
                job = low[event.run_id] = replace(
                    low[event.run_id], fence=event.fence + 1, next_seq=event.run_seq + 1
                )
                submit_run(job, client=bench.client)
            seen = len(events)
            time.sleep(0.005)

    thread = threading.Thread(target=ring_again, daemon=True)
    thread.start()
    for job in list(low.values()):
        submit_run(job, client=bench.client)
    told_s, handed_s = [], []
    for _ in range(HANDOVERS):
        bench.wait_for(lambda: bench.count_running() == SLOTS)
        time.sleep(1.2)
        before = list(low.values())
        urgent = bench.job("critical")
        submitted_at = time.monotonic()
        submit_run(urgent, client=bench.client)
        bench.wait_for(partial(bench.is_asked, before), pause_s=0.002)
        asked_at = time.monotonic()
        bench.wait_for(partial(bench.has_begun, urgent), pause_s=0.005)
        told_s.append(asked_at - submitted_at)
        handed_s.append(time.monotonic() - asked_at)
    is_over.set()
    thread.join()
    return told_s, handed_s


def measure_decision() -> list[float]:
    """Return the CPU ms of single decisions: 1,000 jobs wait, all slots are taken, a Critical one has just come."""
    taken = []
    for round_number in range(20):
        core = FleetCore()
        core.resources = Resources(
            crews=[Crew(name="w", host="h", pid=1, queues=("cpu", "gpu"), slots=SLOTS)]
        )
        now = 1_795_000_000.0
        for number in range(SLOTS + WAITING):
            level = 2 if number < SLOTS else 1 + number % 3
            request = Request(
                run_id=f"r{number}", fence=1, workspace_id=number % 20, agent="coder", level=level, task="run"
            )
            core.submit(request, now=now)
            if number == SLOTS - 1:
                core.decide(now=now)
                for run in list(core.running.values()):
                    core.hear(run.request, worker="h:1", now=now)
        request = Request(run_id="urgent", fence=1, workspace_id=1, agent="coder", level=0, task="run")
        core.submit(request, now=now + 5)
        started = time.process_time()
        actions = core.decide(now=now + 5)
        taken.append(1000 * (time.process_time() - started))
        assert actions, round_number
    return taken


def measure_memory(bench: Bench) -> float:
    """Return by how many MB the node grows with 1,000 agents at work and 200 suspended that wait for a slot."""
    before = bench.node.memory_info().rss
    with bench.client.pipeline(transaction=False) as pipe:
        for number in range(REGISTERED):
            request = request_of(bench.job(LEVELS[number % 4]))
            fields: dict[Any, Any] = {
                "op": "beat",
                "run_id": request.run_id,
                "fence": 1,
                "worker": f"elsewhere:{number}",
                "tokens_per_s": 12.5,
                "reason": "",
                "request": orjson.dumps(request),
            }
            pipe.xadd(INBOX_KEY, fields)
        pipe.execute()
    history = [{"step_id": f"s{n}", "kind": "tool_call", "detail": {"result": "x" * 2000}} for n in range(40)]
    for _ in range(SUSPENDED):
        submit_run(bench.job("low", history=history), client=bench.client)
    grown = 0.0
    for _ in range(30):
        time.sleep(0.2)
        state = read_fleet(bench.client)
        if state is not None and len(state.running) >= REGISTERED and len(state.waiting) >= SUSPENDED:
            grown = max(grown, (bench.node.memory_info().rss - before) / 1e6)
    if not grown:
        raise RuntimeError("the node never knew of all of them")
    return grown


def main() -> None:
    """Print the table."""
    report_noise()
    decisions = measure_decision()
    with opened() as (bench, double):
        gaps, (node_ms, worker_ms) = measure_dispatch(bench)
        told_s, handed_s = measure_handover(bench, double)
    with opened() as (bench, _):
        grown_mb = measure_memory(bench)
    report_noise()
    median, worst = statistics.median(gaps), quantile(gaps, 95)
    print(
        f"  {RUNS} runs on {SLOTS} slots, a slot stands empty: median {median:.0f} ms, p95 {worst:.0f} ms   "
        f"{verdict(median <= MAX_OVERHEAD_MS, f'median <= {MAX_OVERHEAD_MS} ms')}"
    )
    print(f"  CPU of one such run: node {node_ms:.1f} ms, worker {worker_ms:.1f} ms")
    print(
        f"  decision with {WAITING} waiting, CPU: median {statistics.median(decisions):.1f} ms, worst {max(decisions):.1f} ms   "
        f"{verdict(max(decisions) <= MAX_DECISION_MS, f'<= {MAX_DECISION_MS} ms')}"
    )
    print(
        f"  a Critical run submitted -> a lower one is asked: median {1000 * statistics.median(told_s):.0f} ms, "
        f"worst {1000 * max(told_s):.0f} ms of {HANDOVERS}"
    )
    print(
        f"  asked -> the Critical run has begun in its place: median {statistics.median(handed_s):.2f} s, "
        f"worst {max(handed_s):.2f} s   {verdict(max(handed_s) <= MAX_HANDOVER_S, f'<= {MAX_HANDOVER_S:.0f} s')}"
    )
    print(
        f"  {REGISTERED} agents registered and {SUSPENDED} suspended: the node grows by {grown_mb:.0f} MB   "
        f"{verdict(grown_mb <= MAX_MEMORY_MB, f'<= {MAX_MEMORY_MB} MB')}"
    )


if __name__ == "__main__":
    main()
