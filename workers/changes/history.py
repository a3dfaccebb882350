"""Reading a repository's commits, and making commit objects that no branch knows yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from workers.changes.churn import FileChurn, read_churn
from workers.changes.errors import GitFailed, UnknownRevision
from workers.changes.git import Git
from workers.changes.paths import check_path, from_bytes, to_bytes, to_portable
from workers.changes.pending import current_ref, head_ref, update_ref
from workers.changes.revisions import LOG_FORMAT, Author, CommitInfo, format_message, parse_log

FETCHED = "refs/remotes/"  # `fetch` puts a remote's branches below, in a folder with the remote's name


@dataclass(frozen=True, slots=True)
class FetchedBranch:
    """A branch as the last `fetch` of a remote found it."""

    remote: str
    name: str

    @property
    def ref(self) -> str:
        """Where it stands here."""
        return f"{FETCHED}{self.remote}/{self.name}"


class HistoryMixin:
    """Adds names, log and content of commits; expects `bare`, git on the repository without a work tree."""

    bare: Git

    def resolve(self, rev: str) -> str:
        """Return the commit that `rev` names.

        Raises:
            UnknownRevision: there is none.
        """
        if not rev or rev.startswith(("-", ":", "@{")) or any(char <= " " for char in rev):
            raise UnknownRevision(revision=to_portable(rev))
        sha = self.bare.text("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}", ok=(0, 1, 128))
        if not sha:
            raise UnknownRevision(revision=to_portable(rev))
        return sha

    def tree_of(self, rev: str) -> str:
        """Return the tree of a commit, or the tree itself."""
        tree = self.bare.text("rev-parse", "--verify", "--quiet", f"{rev}^{{tree}}", ok=(0, 1, 128))
        if not tree or rev.startswith("-"):
            raise UnknownRevision(revision=to_portable(rev))
        return tree

    def head(self) -> str:
        """Return the commit of the current branch."""
        return self.resolve("HEAD")

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Return whether the history of `of` holds `commit`."""
        with self.bare.start(["merge-base", "--is-ancestor", commit, of]) as child:
            code = child.wait()
        if code not in (0, 1):
            raise GitFailed("git merge-base failed.", command="merge-base", exit_code=code)
        return code == 0

    def branch(self) -> str:
        """Return the name of the current branch."""
        return head_ref(self.bare).removeprefix("refs/heads/")

    def branches(self) -> list[str]:
        """Return the names of all branches; hidden refs of agents are none."""
        out = self.bare.run("for-each-ref", "--format=%(refname)", "refs/heads/")
        return [line.removeprefix("refs/heads/") for line in from_bytes(out).splitlines()]

    def fetched_branches(self) -> list[FetchedBranch]:
        """Return the branches that the last `fetch` of each remote found, by remote and name."""
        out = self.bare.run("for-each-ref", "--format=%(refname)", FETCHED)
        places = (line.removeprefix(FETCHED).partition("/") for line in from_bytes(out).splitlines())
        return [FetchedBranch(remote, name) for remote, _, name in places if name not in ("", "HEAD")]

    def distance(self, ref: str) -> tuple[int, int]:
        """Return how many commits the current branch has that `ref` lacks, and how many `ref` has that it lacks."""
        counts = self.bare.text("rev-list", "--left-right", "--count", f"{self.head()}...{self.resolve(ref)}")
        ahead, behind = counts.split()
        return int(ahead), int(behind)

    def update_ref(self, ref: str, new: str, expected_old: str | None) -> None:
        """Move a ref by compare-and-swap; see `pending.update_ref`."""
        update_ref(self.bare, ref, new, expected_old)

    def ref(self, ref: str) -> str | None:
        """Return what a full ref name points at; None when it does not exist."""
        return current_ref(self.bare, ref)

    def branch_ref(self, name: str) -> str:
        """Return the full ref of a branch name that git accepts."""
        ref = f"refs/heads/{name}"
        try:
            self.bare.run("check-ref-format", "--branch", name)
            self.bare.run("check-ref-format", ref)
        except (GitFailed, ValueError):  # ValueError: a NUL, which no argument of a program can hold
            raise UnknownRevision("This is not a branch name.", revision=to_portable(name)) from None
        return ref

    def commit_tree(
        self,
        tree: str,
        parents: Sequence[str],
        message: str,
        *,
        author: Author,
        trailers: Sequence[tuple[str, str]] = (),
    ) -> str:
        """Return a new commit object; no ref moves."""
        flags = [flag for parent in parents for flag in ("-p", parent)]
        text = format_message(message, trailers)
        return self.bare.text("commit-tree", tree, *flags, "-F", "-", stdin=text, env=author.environment())

    def log(
        self, path: str | None = None, *, limit: int, skip: int = 0, rev: str = "HEAD"
    ) -> list[CommitInfo]:
        """Return commits, newest first; with `path` those that changed it, followed through renames."""
        args: list[str | bytes] = ["log", "-z", f"--format={LOG_FORMAT}", f"-n{limit}", f"--skip={skip}"]
        args.append(self.resolve(rev))
        if path is not None:
            args[1:1] = ["--follow"]
            args += ["--", to_bytes(check_path(path))]
        return parse_log(self.bare.run(*args))

    def churn(self, rev: str = "HEAD", *, since: datetime | None = None) -> dict[str, FileChurn]:
        """Return how often each file changed; see `churn.read_churn`."""
        return read_churn(self.bare, self.resolve(rev), since=since)

    def read_at(self, commit: str, path: str) -> bytes:
        """Return a file's content at a commit; a link's target.

        Raises:
            UnknownRevision: no such commit, or no file at this path in it.
        """
        sha = self.resolve(commit)
        try:
            return self.bare.run("cat-file", "blob", to_bytes(f"{sha}:{check_path(path)}"))
        except GitFailed as error:
            raise UnknownRevision(
                "This commit has no such file.", revision=sha, path=to_portable(path)
            ) from error

    def archive(self, commit: str, format: Literal["zip", "tar.gz"]) -> Iterator[bytes]:
        """Yield an archive of a commit's files, piece by piece."""
        sha = self.resolve(commit)
        with self.bare.start(["archive", f"--format={format}", sha]) as child:
            if child.stdout is not None:
                while piece := child.stdout.read(1 << 16):
                    yield piece
            if child.wait() != 0:
                raise GitFailed("git archive failed.", command="archive", exit_code=child.returncode)
