"""How a workspace's repository comes into being: empty, from a git URL, or from an archive.

It runs on two threads of the web process: a clone may take minutes, and its credential must not leave this process. Progress
is written to the row. A preparation that a restart interrupted is found by `give_up_stale` and marked failed, never left
hanging.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from webapp.accounts.models import User
from webapp.errors import Conflict, Invalid
from webapp.events.publish import publish_on_commit
from webapp.events.registry import periodic
from webapp.workspaces import events
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import author_of, root_of
from workers.changes.remotes import DEFAULT_USERNAME, Credential
from workers.changes.removal import remove_tree
from workers.changes.repository import Progress, Repository
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
CLONE_TIMEOUT_S = 900
MAX_URL_CHARS = 500
NOTE_EVERY_S = 1.0
LOOK_EVERY_S = 0.25
"""How often the work asks its row whether anybody still wants it: any web process may have been told to stop it."""
STALE_AFTER = timedelta(seconds=CLONE_TIMEOUT_S + 120)
_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="prepare-workspace")


class PreparationStopped(Conflict):
    """The workspace was deleted, or somebody stopped its preparation."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the first files come from."""

    kind: Literal["empty", "url", "archive"] = "empty"
    url: str = ""
    path: Path | None = None
    """An archive in a folder of its own, which is removed with it."""
    shown_url: str = ""
    is_file_allowed: bool = False
    """Only the operator's command may clone from this machine's own disk."""
    credential: Credential | None = field(default=None, repr=False)
    """Kept with the remote `origin` as well, sealed."""


def url_source(url: str, *, username: str = "", token: str = "") -> Source:
    """Return the source for the address of a git repository, and for an empty one the source of nothing.

    Raises:
        Invalid: the address is none that is cloned from, or there is a credential and no address.
    """
    if not url:
        if username or token:
            raise Invalid("A user name and a token belong to a git URL.", field="url")
        return Source()
    check_url(url)
    credential = Credential(username or DEFAULT_USERNAME, token) if token else None
    return Source(kind="url", url=url, shown_url=url, credential=credential)


def check_url(url: str) -> None:
    """Refuse what is not a plain https address. It is stored and shown to everybody in the workspace, so no secret may be in it.

    Raises:
        Invalid: another scheme, no host, a credential or a query inside the address.
    """
    if len(url) > MAX_URL_CHARS or not url.isprintable() or " " in url:
        raise Invalid("An address has no spaces and no invisible characters.", field="url")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise Invalid("This address cannot be read.", field="url") from None
    if parts.scheme != "https" or not host:
        raise Invalid("Give an address that begins with https://.", field="url")
    if parts.query or parts.fragment:
        raise Invalid("An address of a repository has no “?” and no “#”.", field="url")
    if parts.username is not None or parts.password is not None:
        raise Invalid("Leave the credential out of the address; store it with the remote.", field="url")


def start(workspace_id: int, user_id: int, source: Source) -> None:
    """Prepare in the background; the row tells how it goes."""
    _pool.submit(_run, workspace_id, user_id, source)


def _run(workspace_id: int, user_id: int, source: Source) -> None:
    try:
        prepare(workspace_id, user_id, source)
    except PyAgentError:
        log.info("workspace could not be prepared", workspace_id=workspace_id)
    except Exception:
        log.exception("preparing a workspace failed", workspace_id=workspace_id)
    finally:
        connection.close()  # the thread may wait for days until it is needed again


def stop(workspace: Workspace, *, stopped_by: User) -> None:
    """Give the preparation up: git ends within a moment and nothing is left on disk.

    Raises:
        Conflict: the workspace is ready, or has failed already.
    """
    note = f"Stopped by {stopped_by.display_name} before it was ready."
    if not _set_state(workspace.pk, Workspace.State.FAILED, note):
        raise Conflict("This workspace is not being prepared any more.")


def prepare(workspace_id: int, user_id: int, source: Source) -> None:
    """Make the repository and mark the workspace ready, or mark it failed and leave nothing on disk.

    Raises:
        PreparationStopped: nobody waits for it any more; nothing is left on disk.
        PyAgentError: why it could not be done; the row says the same.
    """
    try:
        try:
            _make_repository(workspace_id, user_id, source)
        finally:
            if source.path is not None:
                shutil.rmtree(source.path.parent, ignore_errors=True)
    except Exception as error:
        remove_files(workspace_id)
        reason = (
            str(error)
            if isinstance(error, PyAgentError)
            else "Something went wrong on our side; the log says what."
        )
        _set_state(workspace_id, Workspace.State.FAILED, reason)
        raise
    if not _set_state(workspace_id, Workspace.State.READY, ""):
        remove_files(workspace_id)
        raise PreparationStopped()


def _make_repository(workspace_id: int, user_id: int, source: Source) -> None:
    author = author_of(User.objects.filter(pk=user_id).first())
    root, watch = root_of(workspace_id), _Watch(workspace_id)
    watch.look()
    root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if source.kind == "url":
        Repository.clone(
            root,
            source.url,
            allow_file=source.is_file_allowed,
            credential=source.credential,
            timeout_s=CLONE_TIMEOUT_S,
            on_progress=lambda progress: watch.note(_describe(progress)),
            on_tick=watch.look,
        )
    elif source.kind == "archive" and source.path is not None:
        Repository.from_archive(
            root,
            source.path,
            author=author,
            on_progress=lambda entries: watch.note(f"Unpacking the archive: {entries:,} entries so far"),
            on_tick=watch.look,
        )
    else:
        Repository.create(root, author=author)


def remove_files(workspace_id: int) -> None:
    """Remove everything a workspace has on disk."""
    try:
        remove_tree(root_of(workspace_id))
    except OSError:
        log.exception("files of a workspace could not be removed", workspace_id=workspace_id)


class _Watch:
    """Writes progress into the row now and then, and ends the work when the row is gone or no longer being prepared."""

    def __init__(self, workspace_id: int) -> None:
        self.workspace_id = workspace_id
        self._noted_at = self._looked_at = float("-inf")

    def note(self, text: str) -> None:
        """Write how far the work is, at most once a second."""
        if monotonic() - self._noted_at >= NOTE_EVERY_S:
            self._noted_at = monotonic()
            _set_state(self.workspace_id, Workspace.State.PREPARING, text)

    def look(self) -> None:
        """Do nothing while the work is wanted.

        Raises:
            PreparationStopped: it is not.
        """
        if monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = monotonic()
        if not _being_prepared().filter(pk=self.workspace_id).exists():
            raise PreparationStopped()


def _describe(progress: Progress) -> str:
    parts = [progress.phase]
    if progress.percent is not None:
        parts.append(f"{progress.percent} %")
    if progress.received_bytes is not None:
        parts.append(f"{progress.received_bytes / 1_000_000:.1f} MB")
    return " · ".join(parts)


def _being_prepared() -> QuerySet[Workspace]:
    return Workspace.objects.filter(state=Workspace.State.PREPARING)


def _set_state(workspace_id: int, state: str, note: str) -> bool:
    """Return whether the workspace was still being prepared; otherwise nothing changes."""
    with transaction.atomic():
        if not _being_prepared().filter(pk=workspace_id).update(state=state, state_note=note[:500]):
            return False
        name = Workspace.objects.values_list("name", flat=True).get(pk=workspace_id)
        publish_on_commit(
            workspace_id, events.WorkspaceChanged(state=state, state_note=note[:500], name=name)
        )
    return True


@periodic(every_s=60)
def give_up_stale() -> None:
    """Mark preparations that a restart interrupted as failed, and remove what they left on disk."""
    stale = _being_prepared().filter(created_at__lt=timezone.now() - STALE_AFTER)
    for workspace_id in stale.values_list("pk", flat=True):
        remove_files(workspace_id)
        _set_state(
            workspace_id,
            Workspace.State.FAILED,
            "Interrupted by a restart. Delete this workspace and create it again.",
        )
    home = Path(settings.PYAGENT_HOME)
    for folder in (*(home / "uploads").glob("archive-*"), *(home / "workspaces").glob(".*.partial-*")):
        if folder.stat().st_mtime < (timezone.now() - STALE_AFTER).timestamp():
            shutil.rmtree(folder, ignore_errors=True)
