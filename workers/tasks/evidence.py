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

from workers.celery import app
from workers.changes.repository import Repository
from workers.changes.vault import remove_tree
from workers.changes.worktrees import subset_worktree
from workers.config import Config, get_config
from workers.errors import PyAgentError
from workers.events import STREAM_KEY, EngineEvent, EvidenceFinished, EvidenceProgressed, to_wire
from workers.queue import EVIDENCE_TASK, EvidenceJob, evidence_cancel_key
from workers.sandbox import Limits, Result, run
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
POLL_S = 0.5
PROGRESS_S = 1.0
PROGRESS_LINES = 40
PROGRESS_LINE_CHARS = 400
OUTPUT_BYTES = 65_536
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
    """Run the job's command on its tree and emit progress and the end; whatever goes wrong is told as the end."""
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
    client.delete(evidence_cancel_key(job.evidence_id))


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
    while True:
        if await asyncio.to_thread(client.exists, evidence_cancel_key(job.evidence_id)):
            stop.set()
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
