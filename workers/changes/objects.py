"""Git objects written and read by us: blobs from files that git must not open, many by one process.

Git would open a file of the work tree by its path, which a process in a terminal can swap for a link in the
meantime. So content goes from a descriptor of `opening.Tree` straight into a loose object.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from workers.changes.errors import ChangeError, GitFailed, UnknownRevision, storage_error
from workers.changes.git import Git
from workers.changes.opening import sync_filesystem

_CHUNK = 1 << 20
_FLUSH_AT_ONCE = 64


class _Sink(Protocol):
    def update(self, data: bytes, /) -> object: ...


def object_format(git_dir: Path) -> str:
    """Return the hash of this repository: sha1 or sha256."""
    text = (git_dir / "config").read_text(errors="replace").lower()
    return "sha256" if "objectformat = sha256" in text else "sha1"


class ObjectWriter:
    """Writes loose blobs. They are in the repository, on disk, after `flush` and not before.

    An object gets its name only once its content is on disk: git trusts what is there by name, so one that a
    power cut left empty would spoil every later commit with the same content.
    """

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir
        self.hash_name = object_format(git_dir)
        self._waiting: dict[str, Path] = {}

    def write(self, data: bytes) -> str:
        """Take `data` as a blob and return its id."""
        head = b"blob %d\0" % len(data)
        digest = hashlib.new(self.hash_name, head, usedforsecurity=False)
        digest.update(data)
        oid = digest.hexdigest()
        if not self._has(oid):
            self._waiting[oid] = self._write_file(iter([zlib.compress(head + data, 1)]))
        return oid

    def write_descriptor(self, fd: int) -> str:
        """Take all of a regular file as a blob, in pieces, and return its id.

        Raises:
            ChangeError: the file changed its size meanwhile.
        """
        size = os.fstat(fd).st_size
        if size <= _CHUNK:
            return self.write(os.read(fd, _CHUNK))
        head = b"blob %d\0" % size
        digest = hashlib.new(self.hash_name, head, usedforsecurity=False)
        temporary = self._write_file(_deflate(fd, size, head, digest))
        oid = digest.hexdigest()
        if self._has(oid):
            temporary.unlink()
        else:
            self._waiting[oid] = temporary
        return oid

    def flush(self) -> None:
        """Put everything written on disk and then into the repository.

        A few objects are waited for one by one: flushing the file system would wait for everybody's data.
        """
        if not self._waiting:
            return
        try:
            if len(self._waiting) > _FLUSH_AT_ONCE:
                _with_descriptor(self.git_dir / "objects", sync_filesystem)
            else:
                for path in self._waiting.values():
                    _with_descriptor(path, os.fsync)
            folders = {self.git_dir / "objects"}
            for oid, temporary in self._waiting.items():
                target = self._path(oid)
                target.parent.mkdir(exist_ok=True)
                temporary.rename(target)
                folders.add(target.parent)
            for folder in folders:
                _with_descriptor(folder, os.fsync)
        except OSError as error:
            self.discard()
            raise storage_error(error, "store a version") from error
        self._waiting.clear()

    def discard(self) -> None:
        """Drop what was not flushed."""
        for path in self._waiting.values():
            path.unlink(missing_ok=True)
        self._waiting.clear()

    def _has(self, oid: str) -> bool:
        return oid in self._waiting or self._path(oid).exists()

    def _path(self, oid: str) -> Path:
        return self.git_dir / "objects" / oid[:2] / oid[2:]

    def _write_file(self, pieces: Iterator[bytes]) -> Path:
        # git's own name for an unfinished object: its clean-up removes what a crash leaves
        path = self.git_dir / "objects" / f"tmp_obj_{secrets.token_hex(8)}"
        try:
            with path.open("xb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fchmod(file.fileno(), 0o444)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise storage_error(error, "store a version") from error
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path


@contextmanager
def writing_objects(git_dir: Path) -> Iterator[ObjectWriter]:
    """Give a writer that is flushed at the end, and drops everything when the block fails."""
    writer = ObjectWriter(git_dir)
    try:
        yield writer
    except BaseException:
        writer.discard()
        raise
    writer.flush()


def _with_descriptor(path: Path, use: Callable[[int], None]) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        use(fd)
    finally:
        os.close(fd)


def _deflate(fd: int, size: int, head: bytes, digest: _Sink) -> Iterator[bytes]:
    packer = zlib.compressobj(1)
    yield packer.compress(head)
    done = 0
    while piece := os.pread(fd, _CHUNK, done):
        done += len(piece)
        digest.update(piece)
        yield packer.compress(piece)
    if done != size:
        raise ChangeError("The file changed while it was read.")
    yield packer.flush()


class BlobReader:
    """Reads many objects through one `git cat-file --batch`; a context manager."""

    def __init__(self, git: Git) -> None:
        self._started = git.start(["cat-file", "--batch"])

    def __enter__(self) -> BlobReader:
        self._child = self._started.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._started.__exit__(None, None, None)

    def read(self, oid: str) -> bytes:
        """Return the content of an object.

        Raises:
            UnknownRevision: there is no such object.
        """
        return b"".join(self.pieces(oid))

    def pieces(self, oid: str) -> Iterator[bytes]:
        """Yield the content of an object in pieces; all of them must be taken before the next call."""
        source, sink = self._pipes()
        sink.write(oid.encode() + b"\n")
        sink.flush()
        head = source.readline().split()
        if len(head) != 3:
            raise UnknownRevision("This object is not in the repository.", revision=oid)
        left = int(head[2])
        while left:
            piece = source.read(min(left, _CHUNK))
            if not piece:
                raise GitFailed("git cat-file ended early.", command="cat-file")
            left -= len(piece)
            yield piece
        source.read(1)

    def size(self, oid: str) -> int:
        """Return the size of an object by reading through it."""
        return sum(len(piece) for piece in self.pieces(oid))

    def _pipes(self) -> tuple[BinaryIO, BinaryIO]:
        child = self._child
        if child.stdin is None or child.stdout is None:
            raise GitFailed("git cat-file has no pipes.", command="cat-file")
        return child.stdout, child.stdin  # type: ignore[return-value]


def index_lines(entries: Iterable[tuple[str, str, bytes]]) -> bytes:
    """Return input for `update-index -z --index-info`; a mode of "0" removes a path.

    Removals come first, so that a file may become a folder and the other way round.
    """
    lines = sorted(entries, key=lambda entry: entry[0] != "0")
    return b"".join(b"%s %s\t%s\0" % (mode.encode(), oid.encode(), path) for mode, oid, path in lines)
