"""Turning files into trees: git says which paths differ, we read them, git builds the tree."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from workers.changes.errors import AccessDenied, FileMissing, NotAFile, PathRefused
from workers.changes.git import TEMPORARY_INDEX, Git
from workers.changes.objects import ObjectWriter, index_lines, writing_objects
from workers.changes.opening import Tree
from workers.changes.paths import from_bytes, is_git_name, to_bytes
from workers.changes.revisions import ZERO, RawChange, parse_raw

IndexEntry = tuple[str, str, bytes]


@contextmanager
def temporary_index(folder: Path, source: Path | None = None) -> Iterator[Path]:
    """Give an index file that is gone afterwards; a copy of `source` when that exists."""
    path = folder / f"{TEMPORARY_INDEX}{secrets.token_hex(8)}"
    try:
        if source is not None and source.exists():
            shutil.copyfile(source, path)
        yield path
    finally:
        path.unlink(missing_ok=True)
        Path(f"{path}.lock").unlink(missing_ok=True)


def changed_paths(git: Git) -> list[bytes]:
    """Return every path whose file may differ from the index, and every untracked one that is not ignored."""
    raw, _ = parse_raw(git.run("diff-files", "--raw", "-z", "--no-renames", "--ignore-submodules=all"))
    others = git.run("ls-files", "--others", "--exclude-standard", "-z").split(b"\0")
    return list(dict.fromkeys([*(change.path for change in raw), *(path for path in others if path)]))


def is_below(path: bytes, chosen: Sequence[bytes]) -> bool:
    """Return whether `path` is one of `chosen` or lies in a folder among them; b"" is everything."""
    return any(each == b"" or path == each or path.startswith(each + b"/") for each in chosen)


def entry_for(tree: Tree, writer: ObjectWriter, path: bytes) -> IndexEntry | None:
    """Return the index entry for what is at `path` now, its content stored; None for what is not kept."""
    text = from_bytes(path)
    if any(is_git_name(part) for part in text.split("/")) or path.endswith(b"/"):
        return None  # a repository inside the files stays private to whoever made it
    try:
        status = tree.lstat(text)
        if status is None or stat.S_ISDIR(status.st_mode):
            return ("0", ZERO, path)
        if stat.S_ISLNK(status.st_mode):
            return ("120000", writer.write(tree.read_link(text)), path)
        fd, status = tree.open_regular(text)
    except (FileMissing, PathRefused):  # gone meanwhile, or a folder above became a link: not there any more
        return ("0", ZERO, path)
    except (NotAFile, AccessDenied):  # git keeps no pipes; what we may not read stays as it was committed
        return None
    try:
        oid = writer.write_descriptor(fd)
    finally:
        os.close(fd)
    return ("100755" if status.st_mode & 0o100 else "100644", oid, path)


def stage_paths(git: Git, files_dir: Path, paths: Sequence[bytes]) -> None:
    """Bring the entries of `paths` in the index up to what the files are now."""
    with Tree(files_dir) as tree, writing_objects(git.git_dir) as writer:
        entries = []
        for path in paths:
            if git.on_tick is not None:
                git.on_tick()
            if (entry := entry_for(tree, writer, path)) is not None:
                entries.append(entry)
    set_entries(git, entries)


def set_entries(git: Git, entries: Sequence[IndexEntry]) -> None:
    """Put entries into the index; removals are ("0", ZERO, path)."""
    if entries:
        git.run("update-index", "-z", "--index-info", stdin=index_lines(entries))


def refresh(git: Git) -> None:
    """Let the index remember times and sizes of unchanged files, which makes the next status fast."""
    git.run("update-index", "-q", "--refresh", "--ignore-missing", ok=(0, 1), env={"GIT_OPTIONAL_LOCKS": "1"})


def staged_changes(git: Git, tree: str) -> list[RawChange]:
    """Return how the index differs from a tree."""
    return parse_raw(git.run("diff-index", "--cached", "--raw", "-z", "--no-renames", "--full-index", tree))[
        0
    ]


def tree_changes(git: Git, old: str, new: str) -> list[RawChange]:
    """Return how one tree differs from another, without renames."""
    out = git.run("diff-tree", "-r", "--raw", "-z", "--no-renames", "--full-index", old, new)
    return parse_raw(out)[0]


def entries_of(changes: Sequence[RawChange], *, is_new: bool) -> list[IndexEntry]:
    """Return the index entries that the changes lead to, or come from."""
    found = []
    for change in changes:
        mode, oid = (change.new_mode, change.new_oid) if is_new else (change.old_mode, change.old_oid)
        found.append(("0", ZERO, change.path) if mode == "000000" else (mode, oid, change.path))
    return found


def as_bytes(paths: Sequence[str]) -> list[bytes]:
    return [to_bytes(path.strip("/")) for path in paths]
