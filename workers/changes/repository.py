"""One workspace's repository: bare git directory, shared checkout of its current branch, index, vault.

root/repo.git   root/files   root/index   root/vault   root/worktrees
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from workers.changes import cloning, importing
from workers.changes.errors import (
    BranchAmbiguous,
    FileMissing,
    GitFailed,
    NothingToCommit,
    PathTaken,
    UnknownRevision,
    WorkspaceBusy,
)
from workers.changes.files import WorkspaceFiles
from workers.changes.git import Git
from workers.changes.history import FetchedBranch, HistoryMixin
from workers.changes.lock import hold_lock
from workers.changes.paths import from_bytes, to_bytes, to_portable
from workers.changes.pending import (
    Intent,
    Outcome,
    Places,
    finish_intent,
    head_ref,
    move_checkout,
    update_ref,
)
from workers.changes.remotes import Credential, Progress, Source
from workers.changes.revisions import (
    Author,
    CommitInfo,
    FileStatus,
    parse_status,
)
from workers.changes.staging import (
    as_bytes,
    changed_paths,
    entries_of,
    is_below,
    refresh,
    set_entries,
    stage_paths,
    staged_changes,
    temporary_index,
)
from workers.changes.transaction import StateTransaction, recover
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
_TALK_WAIT_S = 2.0
_REMOTE_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")

__all__ = ["Author", "CommitInfo", "Credential", "FileStatus", "Progress", "Repository"]


class Repository(HistoryMixin):
    """An existing repository below `root`; made by `create`, `clone` or `from_archive`."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.git_dir = self.root / "repo.git"
        self.files_dir = self.root / "files"
        self.index_path = self.root / "index"
        self.vault_dir = self.root / "vault"
        self.worktrees_dir = self.root / "worktrees"
        self.bare = Git(self.git_dir)
        self.git = Git(self.git_dir, work_tree=self.files_dir, index=self.index_path)

    def __repr__(self) -> str:
        return f"Repository({str(self.root)!r})"

    @classmethod
    def create(cls, root: Path, *, branch: str = "main", author: Author) -> Repository:
        """Return a new repository with one empty commit.

        Raises:
            WorkspaceExists: something is at `root`.
        """
        importing.create_repository(Path(root), branch=branch, author=author)
        return cls(root)

    @classmethod
    def clone(
        cls,
        root: Path,
        url: str,
        *,
        allow_file: bool = False,
        allow_private: bool = False,
        credential: Credential | None = None,
        timeout_s: float = 600.0,
        max_bytes: int = cloning.MAX_CLONE_BYTES,
        ca_file: Path | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> Repository:
        """Return a copy of a remote repository with its default branch checked out.

        Args:
            allow_file, allow_private: Only for the operator's own commands: `file:` URLs, addresses not on
            the internet.
            on_tick: Called about five times a second; what it raises ends the work and rises.

        Raises:
            RemoteRefused: not https, or an address that is not on the internet.
            RemoteTooLarge, GitTimeout, GitFailed: nothing is left at `root`.
        """
        cloning.clone_repository(
            Path(root),
            Source(url, allow_file, allow_private, credential, timeout_s, max_bytes, ca_file),
            on_progress=on_progress,
            on_tick=on_tick,
        )
        return cls(root)

    @classmethod
    def from_archive(
        cls,
        root: Path,
        archive: Path,
        *,
        author: Author,
        limits: importing.ArchiveLimits | None = None,
        branch: str = "main",
        on_progress: Callable[[int], None] | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> Repository:
        """Return a repository whose first commit holds what a .zip or .tar.gz holds.

        Args:
            on_progress: Gets the number of entries unpacked so far.
            on_tick: Called often; what it raises ends the work and rises.

        Raises:
            ArchiveRefused: a bomb, a path or link out of the tree, a device, a `.git`, a name twice; nothing
            is left.
        """
        limits = limits or importing.ArchiveLimits()
        importing.import_archive(
            Path(root),
            Path(archive),
            author=author,
            limits=limits,
            branch=branch,
            on_progress=on_progress,
            on_tick=on_tick,
        )
        return cls(root)

    @property
    def places(self) -> Places:
        return Places(self.root, self.files_dir, self.vault_dir, self.git)

    @property
    def files(self) -> WorkspaceFiles:
        """The shared checkout, for reading."""
        return WorkspaceFiles(self.files_dir)

    def transaction(self, label: str) -> StateTransaction:
        """Return a transaction on the shared checkout."""
        return StateTransaction(self.files_dir, self.vault_dir, label=label)

    @contextmanager
    def lock(self, *, timeout_s: float = 60.0) -> Iterator[None]:
        """Hold the repository against other writers, after finishing what a crash left."""
        with hold_lock(self.root / "git.lock", timeout_s=timeout_s):
            finish_intent(self.places)
            yield

    def recover(self) -> Outcome | None:
        """Finish what a crash left in the files and in the repository; for the start of a process."""
        with hold_lock(self.root / "git.lock", timeout_s=60.0):
            outcome = finish_intent(self.places)
            recover(self.files_dir, self.vault_dir)
            return outcome

    def switch_branch(self, name: str, *, create: bool = False, remote: str = "") -> None:
        """Check out another branch; edits that are not committed stay, unless a file differs between the two.

        A branch that only a `fetch` found begins here, where it stands there; `remote` says which one's is meant.

        Raises:
            LandingConflict: it does; nothing changed.
            UnknownRevision, PathTaken: there is no such branch, or (with `create`) there is one.
            BranchAmbiguous: no `remote` is named, and the branch stands elsewhere in each.
        """
        ref = self.branch_ref(name)
        with self.lock():
            head, target = self.head(), self.ref(ref)
            if create and target is not None:
                raise PathTaken("A branch has this name.", path=name)
            if create:
                update_ref(self.bare, ref, head, None)
                target = head
            if target is None:
                target = self._fetched_tip(name, remote)
                update_ref(self.bare, ref, target, None)
            now = head_ref(self.bare)
            if now != ref:
                move_checkout(self.places, Intent(f"switch to {name}", now, head, target, switch_to=ref))

    def _fetched_tip(self, name: str, remote: str) -> str:
        found = [
            each for each in self.fetched_branches() if each.name == name and remote in ("", each.remote)
        ]
        tips = {self.resolve(each.ref) for each in found}
        if not tips:
            raise UnknownRevision("No branch has this name.", revision=to_portable(name))
        if len(tips) > 1:
            remotes = [each.remote for each in found]
            raise BranchAmbiguous(
                f"{' and '.join(remotes)} have different branches of this name: say whose is meant.",
                remotes=remotes,
            )
        return tips.pop()

    def fast_forward(self, commit: str) -> str:
        """Advance the current branch to a commit that contains it, such as what `fetch` brought; return it.

        Raises:
            GitFailed: the branch has commits of its own.
            LandingConflict: edits that are not committed are in the way.
        """
        with self.lock():
            head, target = self.head(), self.resolve(commit)
            if head != target:
                self.bare.run("merge-base", "--is-ancestor", head, target)
                move_checkout(self.places, Intent("fast-forward", head_ref(self.bare), head, target))
            return target

    # What differs, and committing it

    def status(self) -> list[FileStatus]:
        """Return every path whose file, index entry and last commit are not all the same."""
        out = self.git.run(
            "status",
            "--porcelain=v2",
            "-z",
            "--no-renames",
            "--untracked-files=all",
            "--ignore-submodules=all",
        )
        return parse_status(out)

    def stage(self, paths: Sequence[str]) -> None:
        """Take files, or all changes below folders, into the index; "" means everything."""
        chosen = as_bytes(paths)
        with self.lock():
            found = [path for path in changed_paths(self.git) if is_below(path, chosen)]
            known = set(found)
            for path in chosen:
                if path and path not in known and self._is_file(path):
                    found.append(path)  # named on purpose, so taken even when a rule ignores it
            stage_paths(self.git, self.files_dir, found)
            refresh(self.git)

    def _is_file(self, path: bytes) -> bool:
        try:
            return self.files.stat(from_bytes(path)).kind in ("file", "symlink")
        except FileMissing:
            return False

    def unstage(self, paths: Sequence[str]) -> None:
        """Set index entries back to the last commit; the files stay as they are."""
        chosen = as_bytes(paths)
        with self.lock():
            changes = [each for each in staged_changes(self.git, self.head()) if is_below(each.path, chosen)]
            set_entries(self.git, entries_of(changes, is_new=False))
            refresh(self.git)

    def commit(self, message: str, *, author: Author, trailers: Sequence[tuple[str, str]] = ()) -> str:
        """Commit what is staged to the current branch and return the commit.

        Raises:
            NothingToCommit: the index is the same as the last commit.
        """
        with self.lock():
            head = self.head()
            tree = self.git.text("write-tree")
            if tree == self.tree_of(head):
                raise NothingToCommit
            sha = self.commit_tree(tree, [head], message, author=author, trailers=trailers)
            update_ref(self.bare, head_ref(self.bare), sha, head)
            return sha

    def snapshot(self, *, author: Author) -> str:
        """Return a hidden commit of HEAD and everything not committed; HEAD itself when there is nothing.

        No branch and no index moves.
        """
        with self.lock(), temporary_index(self.root, self.index_path) as index:
            head = self.head()
            git = Git(self.git_dir, work_tree=self.files_dir, index=index)
            stage_paths(git, self.files_dir, changed_paths(git))
            tree = git.text("write-tree")
            if tree == self.tree_of(head):
                return head
            return self.commit_tree(tree, [head], "Snapshot of what is not committed", author=author)

    # Remotes

    def fetch(
        self,
        remote_url: str,
        *,
        remote: str = "origin",
        credential: Credential | None = None,
        **options: object,
    ) -> None:
        """Bring a remote's branches to `refs/remotes/<remote>/`, its tags to `refs/tags/`; options as for `clone`.

        Branches that the remote no longer has go from there; those of other remotes stay as they are.

        Raises:
            WorkspaceBusy: somebody else is fetching or pushing here.
        """
        self._check_remote_name(remote)
        source = Source(remote_url, credential=credential, **options)  # type: ignore[arg-type]
        with self._talking():
            cloning.fetch(self.bare, source, remote)

    def push(
        self,
        remote_url: str,
        branch: str,
        *,
        remote: str = "origin",
        credential: Credential | None = None,
        **options: object,
    ) -> None:
        """Send one branch; never forces. It counts as fetched then.

        Raises:
            UnknownRevision: there is no such branch.
            PushRejected: the remote's branch has commits that ours lacks.
            WorkspaceBusy: somebody else is fetching or pushing here.
        """
        self._check_remote_name(remote)
        ref = self.branch_ref(branch)
        commit, there = self.resolve(ref), FetchedBranch(remote, branch).ref
        known = self.ref(there)
        source = Source(remote_url, credential=credential, **options)  # type: ignore[arg-type]
        with self._talking():
            cloning.push(self.bare, source, commit, ref)
        if known == commit:
            return
        try:
            update_ref(self.bare, there, commit, known)
        except (
            GitFailed
        ):  # a fetch came between, or a branch that is gone there is in the way, as `a` is of `a/b`
            log.info("the next fetch will show what was pushed", branch=to_portable(branch))

    def forget_remote(self, remote: str) -> None:
        """Drop what was fetched of a remote; branches that were switched to stay.

        Raises:
            WorkspaceBusy: somebody else is fetching or pushing here.
        """
        self._check_remote_name(remote)
        with self._talking():
            refs = [each.ref for each in self.fetched_branches() if each.remote == remote]
            commands = b"".join(b"delete " + to_bytes(ref) + b"\0\0" for ref in refs)
            self.bare.run("update-ref", "--no-deref", "-z", "--stdin", stdin=commands)

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Talk to one remote at a time: one that hangs keeps a thread and a database connection for minutes."""
        with ExitStack() as stack:
            try:
                stack.enter_context(hold_lock(self.root / "remote.lock", timeout_s=_TALK_WAIT_S))
            except WorkspaceBusy as error:
                message = "Somebody is fetching or pushing here already; try again when that is done."
                raise WorkspaceBusy(message, waited_s=_TALK_WAIT_S) from error
            yield

    def _check_remote_name(self, name: str) -> None:
        if not _REMOTE_NAME.fullmatch(name):
            raise UnknownRevision("This is not the name of a remote.", revision=name)
