"""What a Celery worker says to the fleet: its slots and queues, and what was lost on its machine.

Said each second, for as long as its event loop turns.

Loaded by name (`include` of the Celery application). It speaks from Celery's own timer in the parent process, not from a
thread: one that holds a lock while a child is forked would leave that lock held in the child for ever.
"""

from __future__ import annotations

import os
import socket
from typing import Any

import redis
from celery.signals import celeryd_after_setup, worker_ready, worker_shutting_down

from workers.celery import gpu_queue
from workers.config import get_config
from workers.fleet.announcing import ANNOUNCE_S, announce, retire
from workers.fleet.entries import Crew
from workers.tasks.losses import tell_losses

_announced: list[tuple[redis.Redis, Crew]] = []


@celeryd_after_setup.connect
def _serve_own_gpus(sender: str, instance: Any, **_: Any) -> None:
    """A worker for GPUs takes what was promised memory on this machine."""
    queues = instance.app.amqp.queues
    if "gpu" in queues.consume_from:
        queues.select_add(gpu_queue(socket.gethostname()))


@worker_ready.connect
def _announce(sender: Any, **_: Any) -> None:
    client = redis.Redis.from_url(
        get_config().redis_url, socket_timeout=1, socket_connect_timeout=1, retry=None
    )
    queues = sender.app.amqp.queues.consume_from
    crew = Crew(
        # Two workers of one name, one that is ending and its successor, are told apart by their process.
        name=f"{sender.hostname}#{os.getpid()}",
        host=socket.gethostname(),
        pid=os.getpid(),
        queues=tuple(queue for queue in ("cpu", "gpu") if queue in queues),
        slots=sender.controller.concurrency,
    )
    _announced.append((client, crew))

    def say() -> None:
        if (client, crew) in _announced:
            try:
                announce(client, crew)
                tell_losses(client)
            except redis.RedisError:
                return  # said again in a second

    say()
    sender.timer.call_repeatedly(ANNOUNCE_S, say)


@worker_shutting_down.connect
def _retire(**_: Any) -> None:
    while _announced:
        client, crew = _announced.pop()
        try:
            retire(client, crew)
        except redis.RedisError:
            return  # it fades
