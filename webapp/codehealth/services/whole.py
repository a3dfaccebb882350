"""The health of a whole workspace: its files as they stand in the shared checkout now."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from webapp.codehealth import events
from webapp.codehealth.figures import Entry, totals
from webapp.codehealth.measuring import Measurer, Progress
from webapp.codehealth.models import FileFigures, WorkspaceHealth
from webapp.codehealth.selectors import entries_of
from webapp.events.publish import publish_on_commit
from webapp.workspaces.models import Workspace
from workers.changes.paths import to_portable

MAX_PATHS = 500
"""Of a change that are looked at one by one; more, and the whole workspace is gone through."""
MAX_TOLD = 50
KEEP_UNUSED = timedelta(days=30)
IGNORE_FILES = (".gitignore",)


def refresh_workspace(workspace: Workspace, *, progress: Progress | None = None) -> WorkspaceHealth:
    """Return the health after measuring whatever in the checkout has not been measured yet.

    Raises:
        Conflict: the workspace is not ready.
    """
    started = time.perf_counter()
    known = entries_of(workspace)
    entries = Measurer(workspace, known=known.values()).checkout(progress=progress)
    duration_ms = int((time.perf_counter() - started) * 1000)
    health = _store(workspace, entries, below=None, duration_ms=duration_ms)
    _forget_unused(workspace, entries)
    return health


def refresh_paths(workspace: Workspace, paths: Sequence[str]) -> WorkspaceHealth:
    """Return the health after looking at these files, and at what is below these folders.

    What has come to be ignored, or no longer is, is found by going through everything.
    """
    is_about_ignoring = any(path.rpartition("/")[2] in IGNORE_FILES for path in paths)
    if is_about_ignoring or len(paths) > MAX_PATHS:
        return refresh_workspace(workspace)
    entries = Measurer(workspace).checkout(paths)
    return _store(workspace, entries, below=[to_portable(path) for path in paths], duration_ms=None)


@transaction.atomic
def _store(
    workspace: Workspace,
    found: Mapping[str, Entry],
    *,
    below: Sequence[str] | None,
    duration_ms: int | None,
) -> WorkspaceHealth:
    """Put what was found in place of what was known, of all files or of those `below` some paths; tell when it differs."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    health, is_new = WorkspaceHealth.objects.get_or_create(workspace=workspace)
    before = health.entries
    kept = {} if below is None else {path: one for path, one in before.items() if not _is_below(path, below)}
    after = {**kept, **found}
    added, removed = after.keys() - before.keys(), before.keys() - after.keys()
    changed = {path for path in after.keys() & before.keys() if after[path].key != before[path].key}
    if duration_ms is not None:
        health.duration_ms = duration_ms
    if added or removed or changed or is_new:
        health.entries = after
    if below is None or added or removed or changed:
        health.save()
    if added or removed or changed:
        paths = sorted(added | removed | changed)
        sums = totals(after.values())
        publish_on_commit(
            workspace.pk,
            events.HealthChanged(
                paths=paths if len(paths) <= MAX_TOLD else [],
                added=len(added),
                changed=len(changed),
                removed=len(removed),
                maintainability=sums.maintainability,
                worst_complexity=sums.cyclomatic,
            ),
        )
    return health


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(path == one or one == "" or path.startswith(f"{one}/") for one in folders)


def _forget_unused(workspace: Workspace, entries: Mapping[str, Entry]) -> None:
    """Drop the figures of contents that have not been in the checkout for long; a commit's are measured again when asked for."""
    keys = {entry.key for entry in entries.values()}
    old = FileFigures.objects.filter(workspace=workspace, created_at__lt=timezone.now() - KEEP_UNUSED)
    unused = [pk for pk, key in old.values_list("pk", "key").iterator() if key not in keys]
    for start in range(0, len(unused), 500):
        FileFigures.objects.filter(pk__in=unused[start : start + 500]).delete()
