"""@coder as a contestant: the engine's own runner on a real repository and a real Redis, without a web app."""

from __future__ import annotations

import json
import tarfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

from redis.asyncio import Redis

from tests.benchmarks.solve_rate.contest import STORY, Budget, Contestant
from tests.benchmarks.solve_rate.metering import Endpoint
from tests.benchmarks.solve_rate.tasks import RepairTask
from tests.framework.engine_relay import EngineRelay
from tests.framework.redis import RedisServer
from tests.framework.repos import make_repository
from workers import queue
from workers.agents.runner import Runner
from workers.changes.repository import Repository
from workers.config import load_config
from workers.events import ChangeProposed, RunFailed, to_wire
from workers.providers.types import ModelChoice
from workers.queue import Job


@asynccontextmanager
async def coder(home: Path) -> AsyncIterator[Contestant]:
    """Start what the engine needs and give the contestant; stop it all at the end."""
    home.mkdir(parents=True, exist_ok=True)
    server = RedisServer(home / "redis", home / "redis.sock")
    server.start()
    relay = EngineRelay(server)
    relay.start()

    async def solve(task: RepairTask, endpoint: Endpoint, budget: Budget, place: Path) -> tuple[Path, str]:
        config = load_config({"PYAGENT_HOME": str(place / "home"), "REDIS_URL": server.url})
        config.workspaces_dir.mkdir(parents=True)
        files = {path: text.encode() for path, text in task.files().items()}
        repository = make_repository(config.workspaces_dir, files, name="1", message=f"Begin {task.name}")
        job = _job(task, endpoint, budget, repository.head())
        client = Redis.from_url(server.url)
        try:
            ending: str = await Runner(job, client=client, config=config).run()
        finally:
            await client.aclose()
        story = [to_wire(event) for event in relay.events if event.run_id == job.run_id]
        (place / STORY).write_text(json.dumps(story, indent=1))
        failures = relay.of(RunFailed, job.run_id)
        proposals = relay.of(ChangeProposed, job.run_id)
        commit = proposals[-1].commit if proposals else job.base_commit
        if failures:
            ending = f"{ending}: {failures[-1].code}"
        return _export(
            repository, commit, place / "files"
        ), ending if proposals else f"{ending}, nothing proposed"

    try:
        yield solve
    finally:
        relay.stop()
        server.kill()


def _job(task: RepairTask, endpoint: Endpoint, budget: Budget, base_commit: str) -> Job:
    choice = ModelChoice(
        provider="openai",
        model=endpoint.model,
        base_url=endpoint.base_url,
        context_tokens=endpoint.context_tokens,
        has_tools=endpoint.has_tools,
    )
    limits = queue.Budget(steps=budget.steps, tokens=budget.tokens, seconds=budget.seconds)
    return Job(
        run_id=str(uuid.uuid4()),
        fence=1,
        workspace_id=1,
        agent="coder",
        goal=task.goal,
        base_commit=base_commit,
        model=choice.to_dict(),
        budget=asdict(limits),
    )


def _export(repository: Repository, commit: str, into: Path) -> Path:
    """Write the files of a commit into the new folder `into`."""
    into.mkdir()
    data = BytesIO(b"".join(repository.archive(commit, "tar.gz")))
    with tarfile.open(fileobj=data) as archive:
        archive.extractall(into, filter="data")
    return into
