"""What tests of agents share: a workspace with a real repository, and a way to run a job in this process."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tests.framework.engine_relay import EngineRelay
from tests.framework.redis import RedisServer
from tests.framework.repos import make_repository
from workers.agents.runner import Ending, Runner
from workers.changes.repository import Repository
from workers.config import Config, load_config
from workers.queue import Job


@dataclass
class Bench:
    """Runs jobs on one workspace against a relay that acknowledges."""

    config: Config
    client: Redis
    relay: EngineRelay
    repository: Repository

    def job(self, goal: str, *, agent: str = "tidy", **fields: Any) -> Job:
        return Job(
            run_id=str(uuid.uuid4()),
            fence=1,
            workspace_id=1,
            agent=agent,
            goal=goal,
            base_commit=self.repository.head(),
            **({"model": {}} | fields),
        )

    async def run(self, job: Job, *, should_stop: Callable[[], bool] = lambda: False) -> Ending:
        return await Runner(job, client=self.client, config=self.config, should_stop=should_stop).run()

    def resumed(self, job: Job, *, steps: int | None = None) -> Job:
        """Return the job as it is handed out after its worker died."""
        history = self.relay.history(job.run_id)[:steps]
        self.relay.fences[job.run_id] = job.fence + 1
        return replace(job, fence=job.fence + 1, history=history, next_seq=self.relay.next_seq(job.run_id))

    def read(self, commit: str, path: str) -> str:
        return self.repository.read_at(commit, path).decode()


MakeBench = Callable[[Mapping[str, str]], Bench]


@pytest_asyncio.fixture
async def make_bench(
    tmp_path: Path, redis_server: RedisServer, engine_relay: EngineRelay
) -> AsyncIterator[MakeBench]:
    """Return a function that makes a bench with these files."""
    config = load_config({"PYAGENT_HOME": str(tmp_path), "REDIS_URL": redis_server.url})
    client = Redis.from_url(redis_server.url)

    def make(files: Mapping[str, str]) -> Bench:
        config.workspaces_dir.mkdir()
        repository = make_repository(
            config.workspaces_dir, {path: text.encode() for path, text in files.items()}, name="1"
        )
        return Bench(config, client, engine_relay, repository)

    yield make
    await client.aclose()


@pytest.fixture
def untidy() -> dict[str, str]:
    """A small package with lint that ruff mends."""
    return {
        "pkg/__init__.py": "",
        "pkg/one.py": "import os\nimport sys\n\n\ndef size():\n    return sys.maxsize   \n",
        "pkg/two.py": 'import json\n\nx = f"plain"\n',
        "vendor/lib.py": "import os\n",
        "pkg/api_pb2.py": "import os\n",
    }
