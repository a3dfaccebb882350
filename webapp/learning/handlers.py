"""What this app answers: runs that end, and the relay's clock."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connection

from webapp.events.registry import on_run_ended, periodic
from webapp.learning import services
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
SETTLE_EVERY_S = 0.25


@on_run_ended
def run_ended(run: Any) -> None:
    """A finished run is one cycle: time passes for lessons and agents, and what has faded goes to the archive."""
    if run.status != run.Status.FINISHED:
        return
    services.record_cycle(run)
    services.archive_faded(run.workspace_id)


class Settler:
    """Settles in a thread of its own, so that loading the model never holds up what the engine reports."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Begin, unless it is at work."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="settle-lessons", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            services.settle_all()
        except Exception:
            log.exception("lessons not settled; it is tried again")
        finally:
            connection.close()  # the thread ends here


settler = Settler()


@periodic(every_s=SETTLE_EVERY_S)
def settle() -> None:
    """Find the lessons that new evidence belongs to."""
    if services.has_unsettled():
        settler.wake()
