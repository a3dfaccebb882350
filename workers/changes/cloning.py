"""Bringing repositories in and sending branches out, bounded in time and size."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from workers.changes.checkout import materialize
from workers.changes.errors import (
    GitFailed,
    GitOutputTooLarge,
    GitTimeout,
    PushRejected,
    RemoteAuthFailed,
    RemoteRefused,
    RemoteTooLarge,
    RemoteUnavailable,
)
from workers.changes.git import Git
from workers.changes.importing import building, init_bare
from workers.changes.paths import from_bytes
from workers.changes.remotes import CheckedRemote, Progress, ProgressReader, Source, check_remote
from workers.changes.revisions import Author

MAX_CLONE_BYTES = 4 << 30
_CHECK_EVERY_S = 0.5
_ALL_TAGS = "+refs/tags/*:refs/tags/*"
_IMPORTER = Author("PyAgent", "pyagent@localhost")


def clone_repository(
    root: Path,
    source: Source,
    *,
    on_progress: Callable[[Progress], None] | None,
    on_tick: Callable[[], None] | None,
) -> None:
    """Make a repository at `root` from a remote; nothing is left there when it fails or `on_tick` raises."""
    remote = check_remote(source)
    with building(root) as place:
        git = init_bare(place, branch="main", on_tick=on_tick)
        branch = default_branch(git, source, remote)
        _fetch(git, source, remote, on_progress, _branches_of("origin"), _ALL_TAGS)
        tip = git.text("rev-parse", "--verify", "--quiet", f"refs/remotes/origin/{branch}", ok=(0, 1))
        if not tip:  # an empty remote
            empty = git.text("mktree")
            tip = git.text("commit-tree", empty, "-m", "Start the repository", env=_IMPORTER.environment())
        git.run("update-ref", f"refs/heads/{branch}", tip)
        git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        (place / "files").mkdir()
        materialize(Git(place / "repo.git", place / "files", place / "index", on_tick), tip)


def default_branch(git: Git, source: Source, remote: CheckedRemote) -> str:
    """Return the branch that the remote's HEAD names; "main" when it names none."""
    out = _talk(git, source, remote, "ls-remote", "--symref", remote.url, "HEAD")
    for line in from_bytes(out).splitlines():
        if line.startswith("ref: refs/heads/") and line.endswith("\tHEAD"):
            return line.removeprefix("ref: refs/heads/").removesuffix("\tHEAD")
    return "main"


def fetch(git: Git, source: Source, remote_name: str) -> None:
    """Bring a remote's branches in, below its own name, and the tags on them that are not known yet.

    Tags have no name of their remote: the one that was here first stays, and none goes because another remote lacks it.
    """
    _fetch(git, source, check_remote(source), None, _branches_of(remote_name))


def _branches_of(remote_name: str) -> str:
    return f"+refs/heads/*:refs/remotes/{remote_name}/*"


def push(git: Git, source: Source, commit: str, ref: str) -> None:
    """Send a commit to the remote's branch `ref`; never forces.

    Raises:
        PushRejected: the remote does not take it.
    """
    remote = check_remote(source)
    try:
        _talk(git, source, remote, "push", "--porcelain", "--no-verify", remote.url, f"{commit}:{ref}")
    except GitFailed as error:
        facts = error.facts
        if facts.get("exit_code") == 1:
            raise PushRejected(_why_rejected(str(facts.get("detail", ""))), **facts) from error
        raise


def _why_rejected(detail: str) -> str:
    if "Updates were rejected" in detail:  # what git advises then, `git pull`, is nothing that a page has
        return "The remote's branch has commits that this one lacks: fetch them and bring them in first."
    return f"The remote did not take the branch: {detail}"


def _fetch(
    git: Git,
    source: Source,
    remote: CheckedRemote,
    on_progress: Callable[[Progress], None] | None,
    *refspecs: str,
) -> None:
    start = size_of(git.git_dir)
    next_check = time.monotonic() + _CHECK_EVERY_S
    progress_of = ProgressReader()

    def check_size() -> None:
        nonlocal next_check
        if time.monotonic() < next_check:
            return
        next_check = time.monotonic() + _CHECK_EVERY_S
        if size_of(git.git_dir) - start > source.max_bytes:
            raise RemoteTooLarge(limit_bytes=source.max_bytes)

    def report(text: bytes) -> None:
        for progress in progress_of.feed(text):
            if on_progress is not None:
                on_progress(progress)

    args = ["fetch", "--progress", "--prune", "--no-write-fetch-head", "--no-auto-maintenance"]
    _talk(git, source, remote, *args, remote.url, *refspecs, on_error_text=report, on_tick=check_size)
    if size_of(git.git_dir) - start > source.max_bytes:
        raise RemoteTooLarge(limit_bytes=source.max_bytes)


def _talk(git: Git, source: Source, remote: CheckedRemote, *args: str, **options: object) -> bytes:
    try:
        return git.run(
            *args,
            config=remote.config,
            env=remote.environment(),
            timeout_s=source.timeout_s,
            **options,  # type: ignore[arg-type]
        )
    except (GitTimeout, GitOutputTooLarge):
        raise
    except GitFailed as error:
        raise _explain(error) from error


def _explain(error: GitFailed) -> GitFailed | RemoteRefused:
    """Return the exact error for what git says about a remote; its words are fixed by LC_ALL."""
    detail = str(error.facts.get("detail", ""))
    if "unable to update url base from redirection" in detail or "returned error: 30" in detail:
        return RemoteRefused("The remote redirects elsewhere.", reason="redirect")
    if "Authentication failed" in detail or "could not read Username" in detail:
        return RemoteAuthFailed(**error.facts)
    if "unable to access" in detail and "returned error: 4" not in detail:
        return RemoteUnavailable(f"The remote cannot be reached: {detail.splitlines()[-1]}", **error.facts)
    return error


def size_of(folder: Path) -> int:
    """Return the bytes that the files below a folder take."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - called often
            except FileNotFoundError:
                continue
    return total
