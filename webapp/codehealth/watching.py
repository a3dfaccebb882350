"""Sees every change of a workspace's files, by whatever route it comes, and has it measured within a second.

An editor's save, an applied diff, a terminal, a sandbox, an import and a pull have one thing in common: files of the shared
checkout change. So the kernel is asked (inotify, by `watchfiles`), rather than each of them. It runs in the relay, of which
there is one (docs/decisions/0006): a thread for each workspace waits for the kernel and does nothing else, one thread measures
what has changed, and one does what takes long, so that a large import holds up nobody else's second.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from django.db import close_old_connections, connection
from django.db.models.functions import Coalesce
from watchfiles import watch

from webapp.codehealth.models import Measurement
from webapp.codehealth.selectors import health_of
from webapp.codehealth.services import measurements
from webapp.codehealth.services.whole import IGNORE_FILES, MAX_PATHS, refresh_paths, refresh_workspace
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import root_of
from workers.changes.paths import from_portable
from workers.codehealth.sources import ending_of
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
# It writes a line for every burst of changes.
logging.getLogger("watchfiles").setLevel(logging.WARNING)
MAX_WORKSPACES = 48
"""That are watched at once, those that changed last. Linux gives a user 128 inotify instances unless told otherwise."""
STEP_MS = 80
"""A burst of changes has ended when none came for so long."""
BURST_MS = 400
LOOK_EVERY_S = 0.5
RETRY_S = 30.0
"""How often a workspace that the kernel does not let us watch is gone through."""
RESUME_S = 0.5
"""How soon watching is taken up again that something unusual ended, such as a name that is no UTF-8."""
# Folders that no repository keeps and tools fill by the thousand. What is kept in one is seen by an audit of everything.
SKIPPED = frozenset(
    {".git", "node_modules", "__pycache__", ".venv", ".tox", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)


class _Watch:
    """Waits for the kernel to tell of changes below one folder."""

    def __init__(self, workspace_id: int, changes: SimpleQueue[tuple[int, frozenset[str] | None]]) -> None:
        self._workspace_id, self._changes = workspace_id, changes
        self._root = root_of(workspace_id) / "files"
        self._stop = threading.Event()
        self._is_watched = False
        self._thread = threading.Thread(target=self._run, name=f"watch-{workspace_id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except Exception as error:
                # The folder went away, a limit of the kernel is reached, or a name is no UTF-8: look at everything, try again.
                log.warning("files are not watched", workspace_id=self._workspace_id, error=str(error))
                self._changes.put((self._workspace_id, None))
                self._stop.wait(RESUME_S if self._is_watched else RETRY_S)

    def _follow(self) -> None:
        self._is_watched = False
        for burst in watch(
            self._root, watch_filter=None, debounce=BURST_MS, step=STEP_MS, stop_event=self._stop, rust_timeout=250,
            yield_on_timeout=True, raise_interrupt=False, force_polling=False, ignore_permission_denied=True,
        ):  # fmt: skip
            if not self._is_watched:
                # From now on; what changed before is found by looking.
                self._is_watched = True
                self._changes.put((self._workspace_id, None))
            paths = frozenset(filter(None, (self._relevant(path) for _, path in burst)))
            if paths:
                self._changes.put((self._workspace_id, paths))

    def _relevant(self, path: str) -> str | None:
        """Return the path below the root when a source file, or a folder with some, may have changed there."""
        full = Path(path)
        relative = full.relative_to(self._root)
        if SKIPPED & set(relative.parts):
            return None
        is_read = ending_of(relative.name) or relative.name in IGNORE_FILES
        # A folder that moved is told as one path; one that is gone can no longer be told from a file.
        if is_read or full.is_dir() or not full.exists():
            return None if relative == Path() else str(relative)
        return None


class Watcher:
    """Keeps the health of all workspaces as their files are, and does the long measurements."""

    def __init__(self) -> None:
        self._changes: SimpleQueue[tuple[int, frozenset[str] | None]] = SimpleQueue()
        self._watches: dict[int, _Watch] = {}
        self._waiting: defaultdict[int, set[str]] = defaultdict(set)
        self._everything: dict[int, None] = {}
        """Workspaces to go through as a whole, in the order in which that was found."""
        self._busy: set[int] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(step,), name=name, daemon=True)
            for name, step in (
                ("health-changes", self._change_step),
                ("health-measurements", self._measurement_step),
            )
        ]
        self._looked_at = float("-inf")
        self._has_resumed = False

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all threads within about a second; a measurement at hand waits for the next life."""
        self._stop.set()
        for one in self._watches.values():
            one.stop()
        for one in self._watches.values():
            one.join()
        for thread in self._threads:
            thread.join(timeout=10)

    def _run(self, step: object) -> None:
        while not self._stop.is_set():
            close_old_connections()
            try:
                step()  # type: ignore[operator]
            except Exception:
                # The database may be away; whatever waits still does.
                log.exception("watching code health failed; it goes on in a moment")
                connection.close()
                self._stop.wait(1.0)
        connection.close()

    # --- what has changed ----------------------------------------------------------------------------------------

    def _change_step(self) -> None:
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._follow_workspaces()
            self._looked_at = time.monotonic()
        self._take_changes()
        for workspace_id in list(self._waiting):
            self._measure_changes(workspace_id)

    def _follow_workspaces(self) -> None:
        """Watch what has come to be ready, and no longer what is gone or has been quiet for longer than others."""
        ready = Workspace.objects.filter(state=Workspace.State.READY).order_by(
            Coalesce("health__measured_at", "created_at").desc()
        )
        wanted = set(ready.values_list("pk", flat=True)[:MAX_WORKSPACES])
        for workspace_id in self._watches.keys() - wanted:
            self._watches.pop(workspace_id).stop()
            self._waiting.pop(workspace_id, None)
        for workspace_id in wanted - self._watches.keys():
            self._watches[workspace_id] = one = _Watch(workspace_id, self._changes)
            one.start()

    def _take_changes(self) -> None:
        try:
            found = [self._changes.get(timeout=0.1)]
            while not self._changes.empty():
                found.append(self._changes.get_nowait())
        except Empty:
            return
        for workspace_id, paths in found:
            if paths is None:
                with self._lock:
                    self._everything[workspace_id] = None
            elif workspace_id in self._watches:
                self._waiting[workspace_id] |= paths

    def _measure_changes(self, workspace_id: int) -> None:
        # A look at everything comes first, and nobody else may measure this workspace: the two would write over each other.
        with self._lock:
            if workspace_id in self._everything:
                return
            if len(self._waiting[workspace_id]) > MAX_PATHS:
                self._everything[workspace_id] = None
                del self._waiting[workspace_id]
                return
        with self._alone(workspace_id) as is_ours:
            if is_ours:
                self._refresh(workspace_id, sorted(self._waiting[workspace_id]))
                del self._waiting[workspace_id]

    def _refresh(self, workspace_id: int, paths: list[str] | None) -> None:
        workspace = Workspace.objects.filter(pk=workspace_id, state=Workspace.State.READY).first()
        if workspace is None:
            return
        try:
            if paths is None:
                refresh_workspace(workspace, progress=self._go_on)
            else:
                refresh_paths(workspace, [from_portable(path) for path in paths])
        except measurements.Interrupted:
            return  # everything is gone through at the next start
        except PyAgentError as error:
            log.warning("files were not measured", workspace_id=workspace_id, error=str(error))

    def _go_on(self, _done: int, _total: int) -> None:
        if self._stop.is_set():
            raise measurements.Interrupted

    # --- what takes long -----------------------------------------------------------------------------------------

    def _measurement_step(self) -> None:
        if not self._has_resumed:
            # What an earlier life left unfinished is begun anew.
            Measurement.objects.filter(state=Measurement.State.RUNNING).update(state=Measurement.State.QUEUED)
            self._has_resumed = True
        measurement = measurements.next_measurement()
        with self._lock:
            whole = [workspace_id for workspace_id in self._everything if workspace_id not in self._busy]
        if measurement is not None:
            with self._alone(measurement.workspace_id) as is_ours:
                if is_ours:
                    measurements.run_measurement(measurement, on_progress=self._go_on)
        elif whole:
            self._look_at_everything(whole[0])
        else:
            self._stop.wait(LOOK_EVERY_S / 2)

    def _look_at_everything(self, workspace_id: int) -> None:
        with self._alone(workspace_id) as is_ours:
            if not is_ours:
                return
            with self._lock:
                self._everything.pop(workspace_id, None)
            workspace = Workspace.objects.filter(pk=workspace_id, state=Workspace.State.READY).first()
            if workspace is not None and health_of(workspace) is None:
                # The first time may take long: people see how far it is.
                measurements.start_measurement(
                    workspace=workspace, kind=Measurement.Kind.WORKSPACE, requested_by=None
                )
            else:
                self._refresh(workspace_id, None)

    @contextmanager
    def _alone(self, workspace_id: int) -> Iterator[bool]:
        """Give whether this workspace is ours to measure; when it is, it is nobody else's meanwhile."""
        with self._lock:
            is_ours = workspace_id not in self._busy
            if is_ours:
                self._busy.add(workspace_id)
        try:
            yield is_ours
        finally:
            if is_ours:
                with self._lock:
                    self._busy.discard(workspace_id)
