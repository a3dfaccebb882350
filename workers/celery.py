"""The Celery application of the engine.

Loads no Django (`fixups=[]`: Celery would do so by itself when DJANGO_SETTINGS_MODULE is set). Settings
answer what was seen with a killed worker: defaults lose the task, `acks_late` alone loses it too, and Redis
gives a dead worker's task back only after kombu's own sweep, so that sweep runs every second here.
"""

from __future__ import annotations

from celery import Celery

from workers.config import get_config


def _broker_url(redis_url: str) -> str:
    # Celery and kombu name a Redis on a unix socket differently from redis-py.
    return redis_url.replace("unix://", "redis+socket://", 1)


def gpu_queue(host: str) -> str:
    """Return the queue of one machine's GPUs: memory is promised on a device, so the job has to come to that machine."""
    return f"gpu.{host}"


app = Celery(
    "workers",
    fixups=[],
    include=[
        "workers.telemetry.worker_logging",
        "workers.tasks.agents",
        "workers.tasks.evidence",
        "workers.tasks.crew",
    ],
)
app.conf.update(
    broker_url=_broker_url(get_config().redis_url),
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 3600,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "priority_steps": [0, 3, 6, 9],
        "queue_order_strategy": "priority",
        "global_keyprefix": "pyagent:celery:",
    },
    task_default_queue="cpu",
    task_create_missing_queues=True,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
)
