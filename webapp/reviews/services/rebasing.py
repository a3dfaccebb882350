"""Carrying a change set over to files that have changed since it was written.

The result is a revision of its own with another hash, so that whoever approved the old one has to look again. Keys of hunks
survive, and with them every decision.
"""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from webapp.accounts.models import User
from webapp.codehealth.rules import patterns_of
from webapp.errors import Conflict
from webapp.reviews.models import ChangeSet, Revision
from webapp.reviews.resolved import newest_revision
from webapp.reviews.risks import risk_strips
from webapp.reviews.services.deciding import lock_open
from webapp.reviews.services.proposing import add_revision
from webapp.workspaces.repositories import author_of
from workers.changes.diffs import FileDiff, Hunk
from workers.changes.hunks import Choice, build_tree
from workers.changes.paths import to_bytes
from workers.changes.reanchor import Reanchored, reanchor
from workers.changes.repository import Author, Repository
from workers.changes.staging import tree_changes

_AGENT = Author("PyAgent agent", "agent@localhost")


def carry_over(*, change_set: ChangeSet, repository: Repository, carried_by: User) -> Revision | None:
    """Return a new revision of the change set on the files as they are now; None when none of its files changed.

    Raises:
        Conflict: the change set is not open, or got another revision in this very moment.
    """
    revision = newest_revision(change_set)
    files = [FileDiff.from_dict(data) for data in revision.files]
    base = repository.snapshot(author=author_of(carried_by))
    if not _touches(repository, revision.base_commit, base, files):
        return None
    moved = reanchor(repository, files, revision.base_commit, base)
    moved = Reanchored([_recounted(file) for file in moved.files], moved.conflicts)
    tree = build_tree(
        repository, base, moved.files, [Choice(hunk.key) for file in moved.files for hunk in file.hunks]
    )
    commit = repository.commit_tree(tree, [base], f"Change set {change_set.pk} on newer files", author=_AGENT)
    risks = risk_strips(repository, base, commit, moved.files, patterns=patterns_of(change_set.workspace))
    with transaction.atomic():
        locked = lock_open(change_set)
        if newest_revision(locked).pk != revision.pk:
            raise Conflict("There is a newer revision than the one you saw. Look at it first.")
        return add_revision(
            locked,
            repository,
            base=base,
            commit=commit,
            files=moved.files,
            risks=risks,
            run=revision.run,
            origin=Revision.Origin.REBASE,
            conflicts=_conflicts(files, moved),
        )


def _touches(repository: Repository, old: str, new: str, files: list[FileDiff]) -> bool:
    """Return whether a file of the change set differs between the two states."""
    if repository.tree_of(old) == repository.tree_of(new):
        return False
    ours = {to_bytes(path) for file in files for path in (file.path, file.base_path)}
    return any(change.path in ours for change in tree_changes(repository.bare, old, new))


def _recounted(file: FileDiff) -> FileDiff:
    """Return the file with the numbers of lines that its remaining hunks add and delete."""
    kinds = [line.kind for hunk in file.hunks for line in hunk.lines]
    return replace(file, added=kinds.count("+"), deleted=kinds.count("-"))


def _conflicts(files: list[FileDiff], moved: Reanchored) -> list[dict[str, object]]:
    hunks: dict[str, Hunk] = {hunk.key: hunk for file in files for hunk in file.hunks}
    return [
        {"reason": conflict.reason, "hunk": hunks[conflict.key].to_dict()} for conflict in moved.conflicts
    ]
