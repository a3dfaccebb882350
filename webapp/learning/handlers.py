"""What this app answers: runs that end, and the relay's clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from webapp.events.registry import on_engine_event, on_run_ended, periodic
from webapp.learning import services
from workers.events import RunStarted
from workers.memory.embedding import minilm
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
SETTLE_EVERY_S = 0.25
WARM_EVERY_S = 1.0


@on_run_ended
def run_ended(run: Any) -> None:
    """A finished run is one cycle: time passes for lessons and agents, and what has faded goes to the archive."""
    if run.status != run.Status.FINISHED:
        return
    services.record_cycle(run)
    services.archive_faded(run.workspace_id)


class Helper:
    """Works in a thread of its own, so that the model never holds up what the engine reports."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self._name, self._work = name, work
        self._thread: threading.Thread | None = None
        self.has_begun = False

    def wake(self) -> None:
        """Begin, unless it is at work."""
        if self._thread is None or not self._thread.is_alive():
            self.has_begun = True
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception:
            log.exception("not done; it is tried again", what=self._name)
        finally:
            connection.close()  # the thread ends here


settler = Helper("settle-lessons", services.settle_all)
warmer = Helper("warm-lessons", minilm.warm)


@on_engine_event(RunStarted)
def run_started(event: RunStarted) -> None:
    """An agent works: what it does may soon be a mistake, and the model is loaded by then."""
    if not warmer.has_begun:
        warmer.wake()


@periodic(every_s=WARM_EVERY_S)
def warm() -> None:
    """Load the model once the relay is up, where agents have worked before; whoever has no agents does not pay for it."""
    if not warmer.has_begun and services.has_learners():
        warmer.wake()


@periodic(every_s=SETTLE_EVERY_S)
def settle() -> None:
    """Find the lessons that new evidence belongs to."""
    if services.has_unsettled():
        settler.wake()
