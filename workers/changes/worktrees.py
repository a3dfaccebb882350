"""A run's own files: a checkout beside the shared one, without `.git`, whose commits live on a hidden ref."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.changes.checkout import apply_changes, materialize
from workers.changes.errors import FileMissing, PathRefused, WorkspaceExists
from workers.changes.files import WorkspaceFiles
from workers.changes.git import Git
from workers.changes.lock import hold_lock
from workers.changes.paths import to_portable
from workers.changes.removal import remove_tree
from workers.changes.repository import Author, Repository
from workers.changes.staging import changed_paths, refresh, stage_paths, temporary_index, tree_changes
from workers.changes.transaction import StateTransaction, recover

AGENT = Author("PyAgent agent", "agent@localhost")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class AgentWorktree:
    """The files of one run at `worktrees/<run_id>/`, with index and vault beside them."""

    def __init__(self, repository: Repository, run_id: str | int) -> None:
        name = _check_name(str(run_id))
        self.repository, self.run_id = repository, name
        self.path = repository.worktrees_dir / name
        self.index_path = repository.worktrees_dir / f"{name}.index"
        self.vault_dir = repository.worktrees_dir / f"{name}.vault"
        self.lock_path = repository.worktrees_dir / f"{name}.lock"
        self.ref, self.base_ref = f"refs/agent/runs/{name}/head", f"refs/agent/runs/{name}/base"
        self.git = Git(repository.git_dir, work_tree=self.path, index=self.index_path)

    @classmethod
    def create(cls, repository: Repository, run_id: str | int, base_commit: str) -> AgentWorktree:
        """Return a new worktree with the files of `base_commit`.

        Raises:
            WorkspaceExists: this run has one; use `open`.
            UnknownRevision: there is no such commit.
        """
        tree = cls(repository, run_id)
        base = repository.resolve(base_commit)
        if tree.path.exists():
            raise WorkspaceExists(path=to_portable(tree.run_id))
        _build(repository, base, tree.path, tree.index_path)
        for ref in (tree.ref, tree.base_ref):
            repository.update_ref(ref, base, repository.ref(ref))
        return tree

    @classmethod
    def open(cls, repository: Repository, run_id: str | int) -> AgentWorktree:
        """Return the worktree that this run has, after finishing what a crash interrupted in it.

        Raises:
            FileMissing: it has none.
        """
        tree = cls(repository, run_id)
        if not tree.path.exists() or repository.ref(tree.ref) is None:
            raise FileMissing("This run has no worktree.", path=to_portable(tree.run_id))
        recover(tree.path, tree.vault_dir)
        return tree

    @property
    def files(self) -> WorkspaceFiles:
        return WorkspaceFiles(self.path)

    def transaction(self, label: str) -> StateTransaction:
        """Return a transaction on this worktree's files."""
        return StateTransaction(self.path, self.vault_dir, label=label)

    def head(self) -> str:
        """Return the last commit of this run."""
        return self.repository.resolve(self.ref)

    def base(self) -> str:
        """Return the commit that the run started from."""
        return self.repository.resolve(self.base_ref)

    def commit(self, message: str, *, author: Author = AGENT) -> str:
        """Commit every change to the hidden ref and return the commit; the last one when nothing changed."""
        with self._lock():
            head = self.head()
            stage_paths(self.git, self.path, changed_paths(self.git))
            tree = self.git.text("write-tree")
            if tree == self.repository.tree_of(head):
                return head
            sha = self.repository.commit_tree(tree, [head], message, author=author)
            self.repository.update_ref(self.ref, sha, head)
            refresh(self.git)
            return sha

    def restore(self, commit: str) -> None:
        """Set the files and the hidden ref back to a commit; ignored files stay."""
        sha = self.repository.resolve(commit)
        with self._lock():
            head = self.head()
            with temporary_index(self.repository.worktrees_dir, self.index_path) as index:
                now = Git(self.repository.git_dir, work_tree=self.path, index=index)
                stage_paths(now, self.path, changed_paths(now))
                found = now.text("write-tree")
            changes = tree_changes(self.repository.bare, found, sha)
            apply_changes(self.git, self.path, self.vault_dir, changes, label="restore", is_forced=True)
            self.git.run("read-tree", sha)
            refresh(self.git)
            self.repository.update_ref(self.ref, sha, head)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with hold_lock(self.lock_path):
            for path in (f"{self.index_path}.lock", self.repository.git_dir / f"{self.ref}.lock"):
                Path(path).unlink(missing_ok=True)  # left by a git that was killed
            yield

    def remove(self) -> None:
        """Remove the files; the commits stay on their hidden ref."""
        remove_tree(self.path)
        remove_tree(self.vault_dir)
        for path in (self.index_path, self.lock_path):
            path.unlink(missing_ok=True)


@contextmanager
def subset_worktree(repository: Repository, commit_or_tree: str, name: str) -> Iterator[Path]:
    """Give a folder with exactly the files of a commit or tree, to run tests in; gone afterwards."""
    path = repository.worktrees_dir / _check_name(name)
    index = repository.worktrees_dir / f"{path.name}.index"
    if path.exists():
        raise WorkspaceExists(path=path.name)
    _build(repository, repository.tree_of(commit_or_tree), path, index)
    try:
        yield path
    finally:
        index.unlink(missing_ok=True)
        remove_tree(path)


def _build(repository: Repository, tree: str, path: Path, index: Path) -> None:
    """Fill a folder beside its place and rename it, so that a half-filled worktree is never taken for one."""
    place = path.with_name(f".{path.name}.partial")
    remove_tree(place)
    place.mkdir(mode=0o700, parents=True)
    try:
        materialize(Git(repository.git_dir, work_tree=place, index=index), tree)
        place.rename(path)
    except BaseException:
        remove_tree(place)
        index.unlink(missing_ok=True)
        raise


def sweep_worktrees(repository: Repository, keep: set[str]) -> list[str]:
    """Remove the worktrees of runs that are not in `keep`, left by ended processes; return their names."""
    removed: list[str] = []
    if not repository.worktrees_dir.exists():
        return removed
    for path in repository.worktrees_dir.iterdir():
        name = path.name.removeprefix(".").split(".")[0]
        if name in keep:
            continue
        with contextlib.suppress(OSError):
            remove_tree(path)
        removed.append(path.name)
    return removed


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise PathRefused("This is not a name for a worktree.", path=to_portable(name), reason="name")
    return name
