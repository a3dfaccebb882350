"""Runs a command on exactly one tree of a repository, for a review, and tells how it went.

Told by events that stand alone: they say the same when they are told twice, so a task that is run again after its worker
was killed does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections import deque
from typing import Any, Literal

import redis

from workers.agents.claims import claim_value, has_died_here
from workers.agents.runner import worker_name
from workers.celery import app
from workers.changes.removal import remove_tree
from workers.changes.repository import Repository
from workers.changes.worktrees import subset_worktree
from workers.config import Config, get_config
from workers.errors import PyAgentError
from workers.events import STREAM_KEY, EngineEvent, EvidenceFinished, EvidenceProgressed, to_wire
from workers.queue import (
    EVIDENCE_CLAIM_S,
    EVIDENCE_TASK,
    EvidenceJob,
    evidence_cancel_key,
    evidence_claim_key,
)
from workers.queue.reporting import report_now
from workers.queue.request import request_of_evidence
from workers.sandbox import Limits, Result, run
from workers.tasks.losses import read_claim, tell_loss
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
POLL_S = 0.5
BEAT_S = 3.0
PROGRESS_S = 1.0
PROGRESS_LINES = 40
PROGRESS_LINE_CHARS = 400
OUTPUT_BYTES = 65_536
# Longer than the broker keeps a message of a worker that was killed, before it hands it out again.
DONE_S = 2 * 3600
_DONE = b"done"
_NOTES = {
    "timeout": "It took too long and was ended.",
    "memory": "It used too much memory and was ended.",
    "output": "It wrote too much and was ended.",
    "processes": "It started too many processes and was ended.",
    "disk": "It filled too much disk and was ended.",
    "cancel": "Cancelled.",
}
Status = Literal["passed", "failed", "cancelled", "lost"]


@app.task(name=EVIDENCE_TASK)
def run_evidence(job: dict[str, Any]) -> None:
    """Celery's entry point; `job` is an `EvidenceJob` as a dict."""
    config = get_config()
    client = redis.Redis.from_url(config.redis_url)
    asyncio.run(gather(EvidenceJob(**job), config=config, client=client))


async def gather(job: EvidenceJob, *, config: Config, client: redis.Redis) -> None:
    """Run the job's command on its tree and emit progress and the end; whatever goes wrong is told as the end.

    Rung for twice, it runs once: the web app rings again when nobody is heard, and a broker that lost its worker does too.
    """
    if not _take_claim(job, client):
        log.info("the ring was for a command that runs or has run", evidence_id=job.evidence_id)
        return
    started = time.monotonic()
    try:
        finished = await _run(job, config, client)
    except PyAgentError as error:
        log.warning("evidence not gathered", evidence_id=job.evidence_id, code=error.code, error=str(error))
        duration_ms = int((time.monotonic() - started) * 1000)
        finished = EvidenceFinished(
            evidence_id=job.evidence_id,
            status="lost",
            exit_code=None,
            duration_ms=duration_ms,
            output="",
            note=str(error)[:300],
        )
    _emit(client, finished)
    client.set(evidence_claim_key(job.evidence_id), _DONE, ex=DONE_S)
    report_now(client, "left", request_of_evidence(job), worker=worker_name())
    client.delete(evidence_cancel_key(job.evidence_id))


def _take_claim(job: EvidenceJob, client: redis.Redis) -> bool:
    """Return whether this process is to run the command. Of one whose process is gone the web app is told."""
    key = evidence_claim_key(job.evidence_id)
    if client.set(key, claim_value(1), ex=EVIDENCE_CLAIM_S, nx=True):
        return True
    held: Any = client.get(key)
    if held is not None and has_died_here(read_claim(held)):
        # Not run at once: the row counts how often its worker was lost, and rings again.
        tell_loss(client, request_of_evidence(job), held)
    return False


async def _run(job: EvidenceJob, config: Config, client: redis.Redis) -> EvidenceFinished:
    repository = Repository(config.workspace_root(job.workspace_id))
    stop = asyncio.Event()
    tail: deque[str] = deque(maxlen=PROGRESS_LINES)
    name = f"evidence-{job.evidence_id}"
    # Left behind when this job's worker was killed; nobody else runs it.
    for left in repository.worktrees_dir.glob(f"{name}-*"):
        remove_tree(left)
    with subset_worktree(repository, job.tree, f"{name}-{secrets.token_hex(4)}") as files:
        watcher = asyncio.create_task(_watch(job, client, stop, tail))
        try:
            result = await run(
                job.command,
                files=files,
                limits=Limits(wall_s=job.wall_s, output_bytes=OUTPUT_BYTES),
                on_line=lambda line: tail.append(line[:PROGRESS_LINE_CHARS]),
                stop=stop,
            )
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
    return _finished(job, result)


async def _watch(job: EvidenceJob, client: redis.Redis, stop: asyncio.Event, tail: deque[str]) -> None:
    """Look for the sign to stop, and tell now and then how far the command is."""
    told, told_at = None, 0.0
    beaten_at = float("-inf")
    while True:
        if time.monotonic() - beaten_at >= BEAT_S:
            beaten_at = time.monotonic()
            await asyncio.to_thread(
                report_now, client, "beat", request_of_evidence(job), worker=worker_name()
            )
        if await asyncio.to_thread(client.exists, evidence_cancel_key(job.evidence_id)):
            stop.set()
        await asyncio.to_thread(
            client.set, evidence_claim_key(job.evidence_id), claim_value(1), ex=EVIDENCE_CLAIM_S
        )
        output = "\n".join(tail)
        # Told again without news every ten seconds, so that a silent command is not taken for a dead worker.
        if time.monotonic() - told_at >= (PROGRESS_S if output != told else 10.0):
            told, told_at = output, time.monotonic()
            await asyncio.to_thread(
                _emit, client, EvidenceProgressed(evidence_id=job.evidence_id, output=output)
            )
        await asyncio.sleep(POLL_S)


def _finished(job: EvidenceJob, result: Result) -> EvidenceFinished:
    status: Status = "passed" if result.is_ok else "cancelled" if result.ended_by == "cancel" else "failed"
    note = _NOTES.get(result.ended_by, "")
    if result.ended_by == "signal":
        note = f"Ended by signal {result.signal}."
    return EvidenceFinished(
        evidence_id=job.evidence_id,
        status=status,
        exit_code=result.exit_code,
        duration_ms=int(result.duration_s * 1000),
        output=result.output,
        note=note,
    )


def _emit(client: redis.Redis, event: EngineEvent) -> None:
    client.xadd(STREAM_KEY, {"event": json.dumps(to_wire(event))})
