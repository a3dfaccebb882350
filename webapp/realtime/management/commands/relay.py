"""`python manage.py relay`: write engine events as rows, measure files that change, do the housekeeping that needs a process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand

from webapp.codehealth.watching import Watcher
from webapp.realtime.relay import Relay
from workers.telemetry.logging import get_logger

log = get_logger(__name__)


class Command(BaseCommand):
    help = "Read engine events from Redis and write them as rows, until stopped."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT; the batch at hand is finished first."""
        relay, watcher = Relay(), Watcher()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: relay.stop())
        log.info("relay reads engine events")
        watcher.start()
        relay.run()
        watcher.stop()
        log.info("relay has stopped")
        _leave()


def _leave() -> None:
    """End the process here when a helper thread still works.

    Such a thread may be in native code that loads a model. When it comes back while Python winds down, Python ends the thread
    in a way that C++ takes for an error: the process would abort. All that it does is done again by the next relay.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
