"""Celery's entry to the agents: take the claim, run the job, end when its end is known."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from importlib import import_module
from typing import Any, Final

from celery.signals import (
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_shutting_down,
)
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as RedisAway

from workers.agents.claims import take_claim
from workers.agents.runner import Runner
from workers.celery import app
from workers.config import get_config
from workers.errors import ConfigError
from workers.queue import Job
from workers.queue.request import request_of
from workers.tasks.losses import tell_loss
from workers.telemetry import tracing
from workers.telemetry.logging import configure_logging, get_logger

log = get_logger(__name__)
PRELOADED: Final = (
    "workers.agents.coder.agent",
    "workers.providers.openai_compatible",
    "openai.resources.chat.completions",
    "openai.types.chat",
)
# Made before Celery forks, so that the children see what the parent is told.
_shutting_down = multiprocessing.get_context("fork").Event()


@worker_shutting_down.connect
def _tell_children(**_: Any) -> None:
    _shutting_down.set()


@worker_init.connect
def _load_before_fork(**_: Any) -> None:
    """Load once, for all children, what their first runs would each load for seconds, silent all the while."""
    for module in PRELOADED:
        import_module(module)


@worker_process_init.connect
def _set_up_child(**_: Any) -> None:
    configure_logging("worker")


@worker_process_shutdown.connect
def _end_child(**_: Any) -> None:
    tracing.shut_down()


@app.task(name="workers.tasks.agents.run_agent", bind=True)
def run_agent(self: Any, job: dict[str, Any]) -> str:
    """Run one job to its end and return how it ended; nobody waits for that, the events tell it.

    Raises:
        ConfigError: the job is none.
    """
    try:
        parsed = Job(**job)
    except TypeError as error:
        raise ConfigError(f"the job cannot be read: {error}") from error
    return asyncio.run(_run(parsed))


def _tell_loss(redis_url: str, job: Job) -> None:
    with Redis.from_url(redis_url, socket_timeout=10, socket_connect_timeout=5) as client:
        tell_loss(client, request_of(job), b"")


async def _run(job: Job) -> str:
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    # A supervisor may signal the whole process group; without a handler the child would just die.
    loop.add_signal_handler(signal.SIGTERM, told_to_end.set)
    # A run sees the GPU that it was promised, and none otherwise.
    os.environ["CUDA_VISIBLE_DEVICES"] = str(job.needs.get("gpu_index", ""))
    config = get_config()
    client = AsyncRedis.from_url(
        config.redis_url, socket_timeout=10, socket_connect_timeout=5, health_check_interval=15
    )
    try:
        claim = await take_claim(client, run_id=job.run_id, fence=job.fence)
        if claim == "lost":
            await asyncio.to_thread(_tell_loss, config.redis_url, job)
        if claim != "taken":
            log.info(
                "the ring was for a run that has a worker", run_id=job.run_id, fence=job.fence, claim=claim
            )
            return claim
        log.info(
            "a run begins", run_id=job.run_id, fence=job.fence, agent=job.agent, resumed=bool(job.history)
        )
        runner = Runner(
            job,
            client=client,
            config=config,
            should_stop=lambda: told_to_end.is_set() or _shutting_down.is_set(),
        )
        ending = await runner.run()
        await runner.leave()
        log.info("a run ended", run_id=job.run_id, fence=job.fence, ending=ending)
        return ending
    except RedisAway as error:
        # Before the run began: the row is still queued, and the web app rings again.
        log.warning("Redis is away, the run was not begun", run_id=job.run_id, reason=str(error))
        return "not begun"
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        await client.aclose()
