"""The files of one run: a worktree of its own, checkpoints after each effect, and the hidden ref it hands
over.

Checkpoints are commits on the worktree's own hidden ref and keep what a killed worker had done; the result
stands on `refs/agent/<run>/<revision>`. No branch of a person's ever moves here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from workers.changes.paths import from_bytes
from workers.changes.repository import Repository
from workers.changes.worktrees import AgentWorktree
from workers.queue import Job


class Workplace:
    """Where a run works. All methods block; asynchronous callers use a thread."""

    def __init__(
        self, repository: Repository, worktree: AgentWorktree, *, job: Job, start: str, head: str
    ) -> None:
        self.repository = repository
        self.base_commit = job.base_commit
        self.revision = int((job.revision_of or {}).get("revision", 0)) + 1
        self._worktree = worktree
        self._run_id = job.run_id
        self._start = start
        self._trees: dict[str, str] = {}
        self.head = head
        """The newest checkpoint; the start while nothing has changed."""

    @classmethod
    def open(cls, root: Path, job: Job) -> Self:
        """Return the run's files as its last finished step left them, or as its base has them.

        Raises:
            UnknownRevision: the base or the checkpoint is not in the repository.
        """
        repository = Repository(root)
        start = repository.resolve((job.revision_of or {}).get("commit") or job.base_commit)
        head = last_checkpoint(job.history) or start
        AgentWorktree(
            repository, job.run_id
        ).remove()  # what an earlier attempt did after its last checkpoint
        worktree = AgentWorktree.create(repository, job.run_id, head)
        return cls(repository, worktree, job=job, start=start, head=head)

    @property
    def files_dir(self) -> Path:
        return self._worktree.path

    @property
    def tree(self) -> str:
        """The tree of the newest checkpoint."""
        return self._tree_of(self.head)

    @property
    def has_offer(self) -> bool:
        """Whether the newest checkpoint differs from the base, and from the revision that it answers."""
        return self.tree not in (
            self._tree_of(self.base_commit),
            self._tree_of(self._start),
        )

    def changed_paths(self) -> list[str]:
        """Return the files that differ between the base and the newest checkpoint."""
        names = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", self.base_commit, self.head]
        return [from_bytes(name) for name in self.repository.bare.run(*names).split(b"\0") if name]

    def checkpoint(self, message: str) -> str:
        """Commit the files as they are and return the commit; the same as before when nothing changed."""
        self.head = self._worktree.commit(message)
        return self.head

    def hand_over(self) -> str:
        """Put the newest checkpoint on the run's hidden ref and return the commit that stands there.

        A ref that already holds these files stays as it is, so that doing it again after a crash changes
        nothing.
        """
        ref = f"refs/agent/{self._run_id}/{self.revision}"
        standing = self.repository.ref(ref)
        if standing is not None and self._tree_of(standing) == self.tree:
            return standing
        self.repository.update_ref(ref, self.head, standing)
        return self.head

    def restore(self) -> None:
        """Set the files back to the newest checkpoint."""
        self._worktree.restore(self.head)

    def return_to(self, commit: str) -> None:
        """Set the files back to an earlier checkpoint, which is the newest from now on."""
        self._worktree.restore(commit)
        self.head = commit

    def remove(self) -> None:
        """Delete the files; commits and refs stay."""
        self._worktree.remove()

    def _tree_of(self, commit: str) -> str:
        if commit not in self._trees:
            self._trees[commit] = self.repository.tree_of(commit)
        return self._trees[commit]


def last_checkpoint(history: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the commit that the newest finished step left behind."""
    found = None
    for step in history:
        found = (step.get("detail") or {}).get("checkpoint") or found
    return found
