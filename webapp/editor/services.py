"""Writes to a workspace's files and repository by a person. Each goes through a StateTransaction or git, then is told to all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction

from webapp.codehealth.services import audit_commit
from webapp.editor.documents import MAX_TEXT_BYTES, Encoding, encode
from webapp.errors import Conflict, Invalid, NotFound
from webapp.events.publish import publish_on_commit
from webapp.vault import unseal
from webapp.workspaces.events import FilesChanged
from webapp.workspaces.models import Remote, Workspace
from webapp.workspaces.repositories import author_of, repository_of
from workers.changes.errors import FileTooLarge
from workers.changes.files import version_of
from workers.changes.history import FetchedBranch
from workers.changes.paths import to_portable
from workers.changes.remotes import DEFAULT_USERNAME, Credential
from workers.changes.transaction import StateTransaction
from workers.codehealth.metrics import FileAudit, audit_source
from workers.telemetry.logging import get_logger

if TYPE_CHECKING:
    from webapp.accounts.models import User
    from workers.changes.repository import Repository

log = get_logger(__name__)
MAX_TOLD_PATHS = 50


@dataclass(frozen=True, slots=True)
class Saved:
    """The version that now stands on disk, and the audit of exactly these bytes."""

    version: str
    size_bytes: int
    audit: FileAudit


def _tell(workspace: Workspace, user: User, cause: str, paths: list[str]) -> None:
    told = [to_portable(path) for path in paths] if len(paths) <= MAX_TOLD_PATHS else []
    publish_on_commit(workspace.pk, FilesChanged(cause=cause, paths=told, by=user.display_name))


def _transaction(workspace: Workspace, user: User, what: str) -> StateTransaction:
    repository = repository_of(workspace)
    return StateTransaction(repository.files_dir, repository.vault_dir, label=f"{what} by person {user.pk}")


def save_file(
    *, workspace: Workspace, user: User, path: str, text: str, encoding: Encoding, expected: str | None
) -> Saved:
    """Write a file, all or nothing, unless somebody saved a newer version than `expected` (None: it must not exist yet).

    Raises:
        VersionConflict: a newer version stands there; nothing was written.
        PathRefused, StorageFull, Invalid: nothing was written.
        FileTooLarge: the editor could not open it again; nothing was written.
    """
    data = encode(text, encoding)
    if len(data) > MAX_TEXT_BYTES:
        raise FileTooLarge(path=path, size_bytes=len(data), limit_bytes=MAX_TEXT_BYTES)
    with _transaction(workspace, user, "save") as change:
        change.write(path, data, expected=expected)
    with transaction.atomic():
        _tell(workspace, user, "save", [path])
    return Saved(
        version=version_of(data), size_bytes=len(data), audit=audit_source(data, path=to_portable(path))
    )


def move_path(*, workspace: Workspace, user: User, source: str, target: str) -> None:
    """Rename a file or folder.

    Raises:
        PathTaken: something is at `target`.
    """
    with _transaction(workspace, user, "move") as change:
        change.move(source, target)
    with transaction.atomic():
        _tell(workspace, user, "move", [source, target])


def delete_path(*, workspace: Workspace, user: User, path: str) -> None:
    """Delete a file, or a folder with all that is in it."""
    with _transaction(workspace, user, "delete") as change:
        change.delete(path)
    with transaction.atomic():
        _tell(workspace, user, "delete", [path])


def make_folder(*, workspace: Workspace, user: User, path: str) -> None:
    """Make a folder."""
    with _transaction(workspace, user, "make folder") as change:
        change.make_dir(path)
    with transaction.atomic():
        _tell(workspace, user, "folder", [path])


def stage(*, workspace: Workspace, user: User, paths: list[str], is_staged: bool) -> None:
    """Put the paths' changes into the next commit, or take them out of it."""
    repository = repository_of(workspace)
    (repository.stage if is_staged else repository.unstage)(paths)
    with transaction.atomic():
        _tell(workspace, user, "stage", paths)


def commit(*, workspace: Workspace, user: User, message: str) -> str:
    """Commit what is staged and return the commit; its audit follows at once.

    Raises:
        Invalid: no message.
        NothingToCommit: nothing is staged.
    """
    if not message.strip():
        raise Invalid("Say in a line what the commit does.", field="message")
    sha = repository_of(workspace).commit(message.strip(), author=author_of(user))
    with transaction.atomic():
        audit_commit(workspace=workspace, commit=sha, cause="commit")
        _tell(workspace, user, "commit", [])
    return sha


def switch_branch(
    *, workspace: Workspace, user: User, name: str, is_new: bool, remote_name: str = ""
) -> None:
    """Check another branch out; uncommitted edits that it would overwrite stop it.

    A branch that only a fetch found begins where it stands in that remote.

    Raises:
        BranchAmbiguous: it stands elsewhere in each remote, and `remote_name` is empty.
    """
    repository_of(workspace).switch_branch(name, create=is_new, remote=remote_name)
    with transaction.atomic():
        _tell(workspace, user, "switch", [])


def fetch(*, workspace: Workspace, user: User, remote_name: str) -> None:
    """Fetch a remote's branches; those of other remotes stay as they were fetched."""
    remote = _remote(workspace, remote_name)
    repository_of(workspace).fetch(remote.url, remote=remote.name, credential=_credential(remote))
    with transaction.atomic():
        _tell(workspace, user, "fetch", [])


def fast_forward(*, workspace: Workspace, user: User, remote_name: str = "") -> str:
    """Bring what was fetched of the current branch into it and return its commit.

    Args:
        remote_name: Whose; empty stands for the one remote that has something new.

    Raises:
        Conflict: the branch has commits of its own, nothing new was fetched, or several remotes have something new.
        LandingConflict: edits that are not committed are in the way.
    """
    repository = repository_of(workspace)
    branch = to_portable(repository.branch())
    found = [each for each in namesakes(repository) if each.behind and remote_name in ("", each.remote)]
    if not found:
        of = f" from {remote_name}" if remote_name else ""
        raise Conflict(f"Nothing new was fetched for {branch}{of}.")
    if len(found) > 1:
        remotes = [each.remote for each in found]
        raise Conflict(f"{' and '.join(remotes)} have new commits: say whose are meant.", remotes=remotes)
    [theirs] = found
    if theirs.ahead:
        raise Conflict(
            f"{branch} has {theirs.ahead} commits that {theirs.remote} lacks: push them as a new branch and merge there.",
            ahead=theirs.ahead,
            behind=theirs.behind,
            remote=theirs.remote,
        )
    sha = repository.fast_forward(theirs.ref)
    with transaction.atomic():
        _tell(workspace, user, "switch", [])
    return sha


@dataclass(frozen=True, slots=True)
class Namesake:
    """The current branch as it was last fetched from a remote: commits only here, and commits only there."""

    remote: str
    ref: str
    ahead: int
    behind: int


def namesakes(repository: Repository) -> list[Namesake]:
    """Return how the current branch stands to each remote that has one of its name, by remote."""
    branch = repository.branch()
    found = [each for each in repository.fetched_branches() if each.name == branch]
    return [Namesake(each.remote, each.ref, *repository.distance(each.ref)) for each in found]


def unknown_here(repository: Repository) -> list[FetchedBranch]:
    """Return the fetched branches that have no namesake here yet."""
    here = set(repository.branches())
    return [each for each in repository.fetched_branches() if each.name not in here]


def push(*, workspace: Workspace, user: User, remote_name: str, branch: str) -> None:
    """Push a branch to a remote, fast-forward only."""
    remote = _remote(workspace, remote_name)
    repository_of(workspace).push(remote.url, branch, remote=remote.name, credential=_credential(remote))
    log.info("pushed", workspace_id=workspace.pk, user_id=user.pk, remote=remote.name, branch=branch)


def remove_remote(*, workspace: Workspace, user: User, remote_name: str) -> None:
    """Forget a remote, its credential, and what was fetched of it; branches that were switched to stay."""
    remote = _remote(workspace, remote_name)
    repository_of(workspace).forget_remote(remote.name)
    with transaction.atomic():
        remote.delete()
        _tell(workspace, user, "fetch", [])
    log.info("remote removed", workspace_id=workspace.pk, user_id=user.pk, remote=remote_name)


def _remote(workspace: Workspace, name: str) -> Remote:
    remote = Remote.objects.filter(workspace=workspace, name=name).first()
    if remote is None:
        raise NotFound(f"There is no remote “{name}”; add it under Git.")
    return remote


def _credential(remote: Remote) -> Credential | None:
    if remote.sealed_token is None:
        return None
    return Credential(username=remote.username or DEFAULT_USERNAME, password=unseal(remote.sealed_token))


def require_text(text: str) -> str:
    """Return the text when it can be stored.

    Raises:
        Conflict: it holds NUL or a lone surrogate, which no text file has.
    """
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise Conflict("The text holds characters that cannot be saved as text.")
    return text
