"""Landing beside edits that nobody has committed: the commit gets the hunks alone, the files keep the edits too.

Where a hunk and an edit touch, nothing is guessed: that is a conflict, and nothing moves.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from workers.changes.checkout import matching_side
from workers.changes.diffs import diff
from workers.changes.errors import LandingConflict
from workers.changes.git import Git
from workers.changes.hunks import Choice, build_tree
from workers.changes.paths import to_portable
from workers.changes.reanchor import reanchor
from workers.changes.staging import stage_paths, temporary_index, tree_changes

if TYPE_CHECKING:
    from workers.changes.repository import Repository


def merge_beside(repository: Repository, old: str, new: str) -> tuple[str, str] | None:
    """Return two trees between which the checkout's files have to move when its branch goes from `old` to `new`.

    Returns:
        None when the files of the change are as `old` has them, so that they simply become those of `new`.

    Raises:
        LandingConflict: an edit that is not committed touches a hunk; `paths` and `conflicts` say where.
    """
    changes = tree_changes(repository.git, old, new)
    if matching_side(repository.git, repository.files_dir, changes) <= {"old"}:
        return None
    with temporary_index(repository.root) as index:
        git = Git(repository.git_dir, work_tree=repository.files_dir, index=index)
        git.run("read-tree", old)
        stage_paths(git, repository.files_dir, [change.path for change in changes])
        edited = git.text("write-tree")
    files = diff(repository, old, new)
    moved = reanchor(repository, files, old, edited)
    if moved.conflicts:
        raise LandingConflict(
            "Edits that are not committed are in the way.",
            paths=sorted({to_portable(conflict.path) for conflict in moved.conflicts}),
            conflicts=[
                asdict(conflict) | {"path": to_portable(conflict.path)} for conflict in moved.conflicts
            ],
        )
    every = [Choice(hunk.key) for file in moved.files for hunk in file.hunks]
    return edited, build_tree(repository, edited, moved.files, every)
