"""Moving a checkout from one tree to another in one transaction, around edits that are not committed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from blake3 import blake3

from workers.changes.errors import ChangeError, LandingConflict, VersionConflict
from workers.changes.files import version_at, version_of_link
from workers.changes.git import Git
from workers.changes.objects import BlobReader
from workers.changes.opening import Tree
from workers.changes.paths import from_bytes, to_portable
from workers.changes.planning import ANY
from workers.changes.revisions import RawChange
from workers.changes.staging import staged_changes
from workers.changes.transaction import StateTransaction

_IN_MEMORY_BYTES = 8 << 20
_GITLINK, _LINK, _ABSENT = "160000", "120000", "000000"


def materialize(git: Git, tree: str) -> None:
    """Fill an empty folder and its index with a tree. Nobody else may be writing there yet."""
    git.run("read-tree", tree)
    git.run("checkout-index", "--all", "--force", "--index", "--quiet", env={"GIT_OPTIONAL_LOCKS": "1"})


def check_index(git: Git, old: str, changes: Sequence[RawChange]) -> None:
    """Refuse when a path of `changes` is staged differently from the tree `old`.

    Raises:
        LandingConflict: with those paths.
    """
    ours = {change.path for change in changes}
    if taken := [change.path for change in staged_changes(git, old) if change.path in ours]:
        raise LandingConflict(
            "Edits that are not committed are in the way.",
            paths=[to_portable(from_bytes(path)) for path in taken],
        )


def apply_changes(
    git: Git,
    files_dir: Path,
    vault_dir: Path,
    changes: Sequence[RawChange],
    *,
    label: str,
    is_forced: bool = False,
) -> None:
    """Change the files from the old side to the new side of `changes`, all or nothing.

    Raises:
        LandingConflict: a file is not what the old side says; unless `is_forced`, which overwrites.
    """
    with BlobReader(git) as blobs:
        transaction = StateTransaction(files_dir, vault_dir, label=label)
        for change in changes:
            _add(transaction, blobs, change, is_forced=is_forced)
        try:
            transaction.commit()
        except VersionConflict as error:
            raise LandingConflict(
                "Edits that are not committed are in the way.", paths=[to_portable(error.path)]
            ) from error


def _add(transaction: StateTransaction, blobs: BlobReader, change: RawChange, *, is_forced: bool) -> None:
    path = from_bytes(change.path)
    if _GITLINK in (change.old_mode, change.new_mode):
        if change.new_mode == _GITLINK:
            transaction.make_dir(path)
        return
    expected = ANY if is_forced else version_in_tree(blobs, change.old_mode, change.old_oid)
    if change.new_mode == _ABSENT:
        transaction.delete(path, expected=expected, is_pruned=True)
    elif change.new_mode == _LINK:
        transaction.symlink(path, from_bytes(blobs.read(change.new_oid)), expected=expected)
    else:
        mode = 0o755 if change.new_mode == "100755" else 0o644
        transaction.write(path, _content(blobs, change.new_oid), mode=mode, expected=expected)


def _content(blobs: BlobReader, oid: str) -> bytes | BinaryIO:
    """Return small content as bytes and large content as a temporary file that closes itself."""
    spool = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - the transaction reads it later
    size = 0
    for piece in blobs.pieces(oid):
        size += spool.write(piece)
    spool.seek(0)
    return cast(BinaryIO, spool) if size > _IN_MEMORY_BYTES else spool.read()


def version_in_tree(blobs: BlobReader, mode: str, oid: str) -> str | None:
    """Return the version that a file has when it is exactly what the tree says; None for absent."""
    if mode == _ABSENT:
        return None
    if mode == _LINK:
        return version_of_link(blobs.read(oid))
    digest = blake3()
    for piece in blobs.pieces(oid):
        digest.update(piece)
    return digest.hexdigest()


def matching_side(git: Git, files_dir: Path, changes: Sequence[RawChange]) -> set[str]:
    """Return which sides of `changes` some file shows: "old", "new", "other"."""
    found = set()
    with BlobReader(git) as blobs, Tree(files_dir) as tree:
        for change in changes:
            if _GITLINK in (change.old_mode, change.new_mode) or change.old_oid == change.new_oid:
                continue
            now = _version_now(tree, from_bytes(change.path))
            if now == version_in_tree(blobs, change.new_mode, change.new_oid):
                found.add("new")
            elif now == version_in_tree(blobs, change.old_mode, change.old_oid):
                found.add("old")
            else:
                found.add("other")
    return found


def _version_now(tree: Tree, path: str) -> str | None:
    try:
        return version_at(tree, path)
    except ChangeError:  # a folder or a link on the way: neither side
        return "other"
