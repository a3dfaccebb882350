"""Unpacking an uploaded .zip or .tar.gz without trusting anything it says.

Every entry is checked before it is written, every byte is counted while it is, and files are opened through
`openat2`, so an entry can never pass through a link that an earlier one made.
"""

from __future__ import annotations

import os
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO

from workers.changes.errors import ArchiveRefused, PathRefused
from workers.changes.lifting import check_target, take_off_folder
from workers.changes.opening import Tree
from workers.changes.paths import check_path, from_bytes, parents_of, to_bytes, to_portable
from workers.errors import PyAgentError

_CHUNK = 1 << 20
_DIRECTORY_LIMIT_BYTES = 8 << 20
"""A zip's list of entries is read as a whole, and each of its 47 bytes becomes 400 in memory; 50,000 real entries take 6 MB."""
_HEADER_LIMIT_BYTES = (
    1 << 20
)  # tar keeps long names and extended headers in memory; real ones are far smaller


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How much an archive may hold."""

    total_bytes: int = 1 << 30
    entries: int = 50_000
    ratio: int = 200
    """Unpacked bytes for each packed byte, over the whole archive, once `ratio_from_bytes` are unpacked."""
    ratio_from_bytes: int = 32 << 20
    depth: int = 64


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    kind: str
    """file, link, dir"""
    mode: int = 0o644
    size: int = 0
    target: str = ""


@dataclass(slots=True)
class _Unpacking:
    tree: Tree
    limits: ArchiveLimits
    packed_bytes: int
    on_progress: Callable[[int], None] | None = None
    on_tick: Callable[[], None] | None = None
    unpacked_bytes: int = 0
    entries: int = 0
    kinds: dict[str, str] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def tick(self) -> None:
        """Let the caller end the work."""
        if self.on_tick is not None:
            self.on_tick()

    def count(self, size: int, name: str) -> None:
        self.tick()
        self.unpacked_bytes += size
        if self.unpacked_bytes > self.limits.total_bytes:
            raise ArchiveRefused("too_large", to_portable(name))
        is_counted = self.unpacked_bytes > self.limits.ratio_from_bytes
        if is_counted and self.unpacked_bytes > self.packed_bytes * self.limits.ratio:
            raise ArchiveRefused("compressed_too_much", to_portable(name))

    def check(self, entry: _Entry) -> None:
        """Refuse names that leave the tree, come twice, or differ only in how they are spelled."""
        self.tick()
        self.entries += 1
        if self.on_progress is not None:
            self.on_progress(self.entries)
        shown = to_portable(entry.path)
        if self.entries > self.limits.entries:
            raise ArchiveRefused("too_many_entries", shown)
        try:
            check_path(entry.path)
        except PathRefused as error:
            raise ArchiveRefused(str(error.facts["reason"]), shown) from error
        if entry.path.count("/") >= self.limits.depth:
            raise ArchiveRefused("too_deep", shown)
        for path in [*parents_of(entry.path), entry.path]:
            folded = unicodedata.normalize("NFC", path).casefold()
            if self.spelled.setdefault(folded, path) != path:
                raise ArchiveRefused("case_collision", shown)
        for parent in parents_of(entry.path):
            if self.kinds.setdefault(parent, "dir") != "dir":
                raise ArchiveRefused("below_a_file_or_link", shown)
        if self.kinds.get(entry.path, entry.kind if entry.kind == "dir" else "") != (
            entry.kind if entry.kind == "dir" else ""
        ):
            raise ArchiveRefused("duplicate", shown)
        if entry.kind == "link":
            check_target(entry.path, entry.target)
        self.kinds[entry.path] = entry.kind

    def add(self, entry: _Entry, source: IO[bytes] | None) -> None:
        """Write one entry that was checked."""
        for parent in parents_of(entry.path):
            self._make_dir(parent)
        if entry.kind == "dir":
            self._make_dir(entry.path)
            return
        self.made.append(entry.path)
        if entry.kind == "link":
            parent_fd, name = self.tree.open_parent(entry.path)
            try:
                os.symlink(to_bytes(entry.target), name, dir_fd=parent_fd)
            finally:
                os.close(parent_fd)
            return
        fd = self.tree.open(entry.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with open(fd, "wb") as file:  # noqa: PTH123 - a descriptor
            while source is not None and (piece := source.read(_CHUNK)):
                self.count(len(piece), entry.path)
                file.write(piece)
            os.fchmod(fd, 0o755 if entry.mode & 0o100 else 0o644)

    def _make_dir(self, path: str) -> None:
        parent_fd, name = self.tree.open_parent(path)
        try:
            os.mkdir(name, 0o755, dir_fd=parent_fd)
        except FileExistsError:
            pass
        finally:
            os.close(parent_fd)


def unpack(
    archive: Path,
    target: Path,
    limits: ArchiveLimits,
    *,
    on_progress: Callable[[int], None] | None = None,
    on_tick: Callable[[], None] | None = None,
) -> list[bytes]:
    """Unpack into the empty folder `target`; return the paths of all files and links.

    A single folder around everything (`project-1.0/`) is taken off. What `on_tick` raises ends the work and rises.

    Raises:
        ArchiveRefused: see `Repository.from_archive`; the caller removes `target`.
    """
    with Tree(target) as tree:
        state = _Unpacking(tree, limits, max(1, archive.stat().st_size), on_progress, on_tick)
        try:
            if zipfile.is_zipfile(archive):
                _unpack_zip(archive, state)
            else:
                _unpack_tar(archive, state)
        except PyAgentError as error:
            if isinstance(error, PathRefused):
                raise ArchiveRefused(str(error.facts["reason"]), str(error.facts["path"])) from error
            raise
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError) as error:
            raise ArchiveRefused("unreadable") from error
        except (ValueError, OverflowError, RuntimeError, UnicodeError, MemoryError) as error:
            raise ArchiveRefused("unreadable") from error
        prefix = take_off_folder(tree, state.kinds)
    return [to_bytes(path.removeprefix(prefix)) for path in state.made]


def _plain(name: str) -> str:
    """Return a name without the "./" and trailing slash that archivers add."""
    while name.startswith("./"):
        name = name[2:]
    return name.rstrip("/")


def _unpack_zip(archive: Path, state: _Unpacking) -> None:
    with archive.open("rb") as packed, zipfile.ZipFile(_BoundedReads(packed, _DIRECTORY_LIMIT_BYTES)) as file:
        if len(file.infolist()) > state.limits.entries:
            raise ArchiveRefused("too_many_entries")
        for info in file.infolist():
            if entry := _zip_entry(file, info, state):
                state.check(entry)
                if entry.kind == "file":
                    with file.open(info) as source:
                        state.add(entry, source)
                else:
                    state.add(entry, None)


def _zip_entry(file: zipfile.ZipFile, info: zipfile.ZipInfo, state: _Unpacking) -> _Entry | None:
    raw = info.orig_filename
    if "\\" in raw or "\0" in raw:
        raise ArchiveRefused("not_plain", to_portable(raw))
    is_utf8 = bool(info.flag_bits & 0x800)
    name = raw if is_utf8 else from_bytes(raw.encode("cp437"))
    path = name.rstrip("/") if name.startswith("/") else _plain(name)
    if info.flag_bits & 0x1:
        raise ArchiveRefused("encrypted", to_portable(path))
    if path in ("", "."):
        return None
    mode = info.external_attr >> 16
    if name.endswith("/") or stat.S_ISDIR(mode):
        return _Entry(path, "dir")
    if stat.S_ISLNK(mode):
        if info.file_size > 4096:
            raise ArchiveRefused("link_without_target", to_portable(path))
        return _Entry(path, "link", target=from_bytes(file.read(info)))
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ArchiveRefused("special_file", to_portable(path))
    if info.file_size > state.limits.total_bytes:
        raise ArchiveRefused("too_large", to_portable(path))
    return _Entry(path, "file", mode or 0o644, info.file_size)


class _BoundedReads:
    """A seekable file that refuses reads which only a header bomb needs."""

    def __init__(self, file: BinaryIO, limit_bytes: int) -> None:
        self.file, self.limit_bytes = file, limit_bytes
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            place = self.tell()
            size = self.seek(0, os.SEEK_END) - place
            self.seek(place)
        if size > self.limit_bytes:
            raise ArchiveRefused("header_too_large")
        return self.file.read(size)


def _unpack_tar(archive: Path, state: _Unpacking) -> None:
    with tempfile.TemporaryFile(dir=archive.parent) as plain:
        _inflate(archive, plain, state)
        plain.seek(0)
        with tarfile.open(
            fileobj=_BoundedReads(plain, _HEADER_LIMIT_BYTES), mode="r:", errors="surrogateescape"
        ) as file:  # type: ignore[call-overload]
            for info in _members(file):
                entry = _tar_entry(info)
                if entry is None:
                    continue
                state.check(entry)
                state.add(entry, file.extractfile(info) if entry.kind == "file" else None)


def _members(file: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (info := file.next()) is not None:
        yield info
        file.members.clear()  # type: ignore[attr-defined]  # a million tiny entries must not become a million objects


def _inflate(archive: Path, plain: BinaryIO, state: _Unpacking) -> None:
    """Unpack the gzip layer to a temporary file; headers and padding count as well."""
    packer = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    total = 0
    limit = state.limits.total_bytes + state.limits.entries * 2048
    with archive.open("rb") as source:
        if source.read(2) != b"\x1f\x8b":
            raise ArchiveRefused("unknown_format")
        source.seek(0)
        while piece := source.read(1 << 16):
            state.tick()
            while piece:
                data = packer.decompress(piece, _CHUNK)
                total += plain.write(data)
                if total > limit:
                    raise ArchiveRefused("too_large")
                if total > state.limits.ratio_from_bytes and total > state.packed_bytes * state.limits.ratio:
                    raise ArchiveRefused("compressed_too_much")
                piece = packer.unconsumed_tail
                if packer.eof:
                    piece = packer.unused_data
                    if piece[:2] != b"\x1f\x8b":
                        break  # padding after the last member
                    packer = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    if not packer.eof:
        raise ArchiveRefused("unreadable")


def _tar_entry(info: tarfile.TarInfo) -> _Entry | None:
    name = info.name
    path = name if name.startswith("/") else _plain(name)
    if path in ("", "."):
        return None
    if info.isdir():
        return _Entry(path, "dir")
    if info.issym():
        return _Entry(path, "link", target=info.linkname)
    if info.isreg() and not info.issparse():
        return _Entry(path, "file", info.mode, info.size)
    raise ArchiveRefused("hard_link" if info.islnk() else "special_file", to_portable(path))
