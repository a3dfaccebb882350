"""Reading a workspace: files with their versions, folders, and search, never outside the tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blake3 import blake3

from workers.changes.errors import FileMissing, FileTooLarge, NotAFile, PathRefused
from workers.changes.opening import Tree, explain
from workers.changes.paths import from_bytes, to_bytes, to_portable
from workers.changes.search import Matches, search_files

Kind = Literal["file", "dir", "symlink", "other"]
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileContent:
    """A regular file as it was at one moment; `version` names these bytes."""

    data: bytes
    version: str
    size_bytes: int
    mode: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder."""

    name: str
    path: str
    kind: Kind
    size_bytes: int


def version_of(data: bytes) -> str:
    """Return the version of a file with this content: blake3, hex."""
    return blake3(data).hexdigest()


def version_of_link(target: bytes) -> str:
    """Return the version of a symbolic link to `target`; never equal to a file's."""
    return blake3(b"symbolic link\0" + target).hexdigest()


def version_of_descriptor(fd: int) -> str:
    """Return the version of the whole file behind `fd`, read in pieces from its start."""
    digest = blake3()
    offset = 0
    while piece := os.pread(fd, _CHUNK, offset):
        digest.update(piece)
        offset += len(piece)
    return digest.hexdigest()


def kind_of(mode: int) -> Kind:
    """Return what a mode from `lstat` describes."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "symlink" if stat.S_ISLNK(mode) else "other"


def read_all(fd: int, size_bytes: int) -> bytes:
    """Return everything behind `fd`; the file may grow or shrink meanwhile."""
    pieces = []
    while piece := os.read(fd, max(_CHUNK, min(size_bytes, 64 * _CHUNK))):
        pieces.append(piece)
    return b"".join(pieces)


class WorkspaceFiles:
    """The files of one workspace, read-only."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str, *, max_bytes: int | None = None) -> FileContent:
        """Return the file at `path`.

        Raises:
            PathRefused: the path leaves the tree or passes through a link.
            FileMissing: nothing is there.
            NotAFile: it is a folder, a pipe, a socket or a device.
            FileTooLarge: it holds more than `max_bytes`.
        """
        with Tree(self.root) as tree:
            fd, status = tree.open_regular(path)
            try:
                if max_bytes is not None and status.st_size > max_bytes:
                    raise FileTooLarge(
                        path=to_portable(path), size_bytes=status.st_size, limit_bytes=max_bytes
                    )
                data = read_all(fd, status.st_size)
            except OSError as error:
                raise explain(error, path) from error
            finally:
                os.close(fd)
        return FileContent(data, version_of(data), len(data), stat.S_IMODE(status.st_mode))

    def version(self, path: str) -> str | None:
        """Return the version of what is at `path`, read in pieces; None when nothing is there."""
        with Tree(self.root) as tree:
            return version_at(tree, path)

    def exists(self, path: str) -> bool:
        """Return whether anything is at `path`; a link counts, what it points to does not."""
        with Tree(self.root) as tree:
            return tree.lstat(path) is not None

    def stat(self, path: str) -> Entry:
        """Return what is at `path`.

        Raises:
            FileMissing: nothing is there.
        """
        with Tree(self.root) as tree:
            status = tree.lstat(path)
        if status is None:
            raise FileMissing(path=to_portable(path))
        return Entry(path.rpartition("/")[2], path, kind_of(status.st_mode), status.st_size)

    def list_dir(self, path: str = "") -> list[Entry]:
        """Return the entries of a folder, folders first, then by name; `.git` is never shown."""
        with Tree(self.root) as tree:
            return _list(tree, path)

    def walk(self, path: str = "", *, max_depth: int = 100) -> Iterator[Entry]:
        """Yield everything below a folder, each folder before its content; links are yielded, not entered."""
        with Tree(self.root) as tree:
            waiting = [(entry, 1) for entry in reversed(_list(tree, path))]
            while waiting:
                entry, depth = waiting.pop()
                yield entry
                if entry.kind != "dir" or depth >= max_depth:
                    continue
                try:
                    below = _list(tree, entry.path)
                except (FileMissing, NotAFile, PathRefused):  # removed or swapped since it was listed
                    continue
                waiting.extend((each, depth + 1) for each in reversed(below))

    def search(
        self,
        query: str,
        *,
        is_regex: bool = False,
        is_case_sensitive: bool = False,
        path_glob: str = "",
        limit: int = 500,
        timeout_s: float = 5.0,
    ) -> Matches:
        """Return up to `limit` matches; `Matches.ended_by` says whether there may be more.

        Raises:
            SearchPatternInvalid: `query` is not a regular expression.
        """
        return search_files(
            self.root,
            query,
            is_regex=is_regex,
            is_case_sensitive=is_case_sensitive,
            path_glob=path_glob,
            limit=limit,
            timeout_s=timeout_s,
        )


def version_at(tree: Tree, path: str) -> str | None:
    """Return the version of the file or link at `path`; None when nothing is there."""
    status = tree.lstat(path)
    if status is None:
        return None
    if stat.S_ISLNK(status.st_mode):
        return version_of_link(tree.read_link(path))
    fd, _ = tree.open_regular(path)
    try:
        return version_of_descriptor(fd)
    except OSError as error:
        raise explain(error, path) from error
    finally:
        os.close(fd)


def _list(tree: Tree, path: str) -> list[Entry]:
    fd = tree.open(path, os.O_RDONLY | os.O_DIRECTORY)
    found: list[Entry] = []
    try:
        for name in os.listdir(fd):  # noqa: PTH208 - a descriptor
            if name == ".git":
                continue
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            text = from_bytes(os.fsencode(name))
            full = f"{path}/{text}" if path else text
            found.append(Entry(text, full, kind_of(status.st_mode), status.st_size))
    finally:
        os.close(fd)
    return sorted(found, key=lambda entry: (entry.kind != "dir", to_bytes(entry.name)))
