"""Celery's own lines in the same form as everybody's. Loaded by name (`include` of the Celery application)."""

from __future__ import annotations

from typing import Any

from celery.signals import setup_logging

from workers.telemetry.logging import configure_logging


def _set_up(**_: Any) -> None:
    configure_logging("worker")


# That somebody listens to this signal keeps Celery from setting up its own.
setup_logging.connect(_set_up)
