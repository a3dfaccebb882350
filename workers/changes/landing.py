"""Landing what people accepted: one commit and the shared checkout with it, or nothing at all.

`prepare` only writes objects, so it can be repeated and thrown away. `execute` moves files, index and branch
together (see `pending`); after a crash at any point `recover_landing` says which of the two ends it came to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from workers.changes.beside import merge_beside
from workers.changes.diffs import FileDiff, diff
from workers.changes.edits import Surroundings, carry_edit
from workers.changes.errors import LandingConflict, RefMoved
from workers.changes.hunks import Choice, build_tree
from workers.changes.paths import from_bytes, from_portable, to_portable
from workers.changes.pending import Intent, current_ref, head_ref, move_checkout, moved
from workers.changes.reanchor import reanchor
from workers.changes.repository import Author, Repository
from workers.changes.staging import tree_changes

LandingOutcome = Literal["landed", "rolled_back"]


@dataclass(frozen=True, slots=True)
class PreparedLanding:
    """A commit that is ready, and where it is to go; store `to_dict` as the intent before `execute`."""

    commit: str
    old_head: str
    branch: str
    paths: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"paths": [to_portable(path) for path in self.paths]}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> PreparedLanding:
        """Return what `to_dict` was called on."""
        paths = tuple(from_portable(path) for path in raw["paths"])
        return cls(raw["commit"], raw["old_head"], raw["branch"], paths)


def prepare(
    repository: Repository,
    *,
    base: str,
    files: Sequence[FileDiff],
    accepted: Sequence[Choice],
    message: str,
    author: Author,
    trailers: Sequence[tuple[str, str]] = (),
    expected_head: str | None = None,
) -> PreparedLanding:
    """Return a commit of the accepted hunks on top of the current branch; nothing visible changes.

    Hunks are carried over from `base` to the branch's head when the two differ, which leaves out everything
    in `base` that is not committed.

    Raises:
        RefMoved: the branch is not at `expected_head`.
        LandingConflict: an accepted hunk has no place there; `paths` and `conflicts` say which.
        HunkMismatch: a key is unknown, or the hunks cannot stand together.
    """
    head, ref = repository.head(), head_ref(repository.bare)
    if expected_head is not None and head != expected_head:
        raise RefMoved(ref=ref, expected=expected_head, found=head)
    there = reanchor(repository, files, base, head)
    keys = {choice.key for choice in accepted}
    if lost := [conflict for conflict in there.conflicts if conflict.key in keys]:
        # Where the branch is what the hunks were made from, they stand on something that was not committed in it.
        is_uncommitted = repository.is_ancestor(head, base)
        raise LandingConflict(
            "These hunks stand on edits that are not committed. Commit those first."
            if is_uncommitted
            else "The branch has changed where these hunks belong.",
            paths=sorted({to_portable(conflict.path) for conflict in lost}),
            conflicts=[asdict(conflict) | {"path": to_portable(conflict.path)} for conflict in lost],
        )
    tree = build_tree(repository, head, there.files, _carried(accepted, files, there.files))
    return _commit(repository, tree, head, ref, message, author, trailers)


def _carried(
    accepted: Sequence[Choice], files: Sequence[FileDiff], moved: Sequence[FileDiff]
) -> list[Choice]:
    """Return the choices with what was edited brought between the lines that stand around the moved hunks."""
    before = {hunk.key: hunk for file in files for hunk in file.hunks}
    now = {hunk.key: hunk for file in moved for hunk in file.hunks}
    carried: list[Choice] = []
    for choice in accepted:
        if choice.edited_new_lines is None or choice.key not in now:
            carried.append(choice)
            continue
        hunk = now[choice.key]
        made_on = Surroundings.of(before[choice.key])
        edited = carry_edit(choice.edited_new_lines, made_on=made_on, now=Surroundings.of(hunk))
        if edited is None:
            path = to_portable(hunk.path)
            conflict = {"key": hunk.key, "path": path, "reason": "changed"}
            raise LandingConflict(
                "The branch has changed where this was edited.", paths=[path], conflicts=[conflict]
            )
        carried.append(Choice(choice.key, edited))
    return carried


def revert(
    repository: Repository,
    commit: str,
    author: Author,
    *,
    message: str = "",
    trailers: Sequence[tuple[str, str]] = (),
    expected_head: str | None = None,
) -> PreparedLanding:
    """Return a commit that takes back what `commit` changed, ready to be executed like any landing.

    Raises:
        LandingConflict: later commits changed the same lines.
    """
    sha = repository.resolve(commit)
    parent = repository.resolve(f"{sha}^")
    files = diff(repository, sha, parent)
    (info,) = repository.log(limit=1, rev=sha)
    return prepare(
        repository,
        base=sha,
        files=files,
        accepted=[Choice(hunk.key) for file in files for hunk in file.hunks],
        message=message or f'Revert "{info.subject}"\n\nThis reverts commit {sha}.',
        author=author,
        trailers=trailers,
        expected_head=expected_head,
    )


def execute(repository: Repository, prepared: PreparedLanding, label: str) -> str:
    """Move the branch, the index and the shared checkout to the prepared commit and return it.

    Edits that are not committed survive: in all other files, staged or not, and in the landing's own where they touch none
    of its hunks.

    Raises:
        LandingConflict: such an edit touches a hunk, or one of the landing's files is staged; `paths` says which.
        RefMoved: the branch is elsewhere by now, or another branch is checked out.
        StorageFull, StorageFailed: the disk could not take it. In every case nothing changed.
    """
    with repository.lock():
        if current_ref(repository.bare, prepared.branch) == prepared.commit:
            return prepared.commit
        if head_ref(repository.bare) != prepared.branch:
            raise RefMoved(
                "Another branch is checked out.",
                ref=prepared.branch,
                expected=prepared.branch,
                found=head_ref(repository.bare),
            )
        if current_ref(repository.bare, prepared.branch) != prepared.old_head:
            raise moved(repository.bare, prepared.branch, prepared.old_head)
        trees = merge_beside(repository, prepared.old_head, prepared.commit) or ("", "")
        intent = Intent(
            label,
            prepared.branch,
            prepared.old_head,
            prepared.commit,
            files_old=trees[0],
            files_new=trees[1],
        )
        move_checkout(repository.places, intent)
        return prepared.commit


def recover_landing(repository: Repository, prepared: PreparedLanding) -> LandingOutcome:
    """Finish or take back an interrupted `execute` and say which; the same answer every time it is asked."""
    repository.recover()
    tip = current_ref(repository.bare, prepared.branch)
    if tip is None:
        return "rolled_back"
    is_landed = repository.is_ancestor(prepared.commit, tip)
    return "landed" if is_landed else "rolled_back"


def _commit(
    repository: Repository,
    tree: str,
    head: str,
    ref: str,
    message: str,
    author: Author,
    trailers: Sequence[tuple[str, str]],
) -> PreparedLanding:
    sha = repository.commit_tree(tree, [head], message, author=author, trailers=trailers)
    paths = tuple(from_bytes(change.path) for change in tree_changes(repository.bare, head, sha))
    return PreparedLanding(sha, head, ref, paths)
