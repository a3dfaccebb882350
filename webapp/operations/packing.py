"""A workspace's folder as a tar that `unpacking` takes back. People and programs made its files, and may still write there."""

from __future__ import annotations

import errno
import os
import tarfile
from pathlib import Path

from workers.changes.opening import open_beneath

# A path in a file system is at most 4,096 bytes long; the rest is for where it will be put back.
MAX_PATH_BYTES = 3000
# Removed, or replaced by something else, while the backup is made.
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


def pack_workspace(root: Path, archive_path: Path) -> list[str]:
    """Write everything below `root` but the files of runs, which can be made again from their hidden refs.

    Returns:
        The paths that were left out, which nothing could put back: pipes, sockets, what nobody may read, what is nested
        too deep.
    """
    with tarfile.open(archive_path, "w") as archive:
        archive.addfile(archive.gettarinfo(root, arcname=root.name))
        return _Packing(archive, root).pack()


class _Packing:
    """One workspace on its way into one archive."""

    def __init__(self, archive: tarfile.TarFile, root: Path) -> None:
        self.archive, self.root = archive, root
        self.left_out: list[str] = []

    def pack(self) -> list[str]:
        """Write all folders, each before what lies in it."""
        top = os.open(self.root, os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            pending = [b""]
            while pending:
                pending += self._pack_folder(top, pending.pop())
        finally:
            os.close(top)
        return sorted(self.left_out)

    def _pack_folder(self, top: int, folder: bytes) -> list[bytes]:
        """Write what lies in a folder and return the folders in it."""
        opened = self._open(top, folder, os.O_DIRECTORY, self._name(folder))
        if opened is None:
            return []
        try:
            with os.scandir(opened) as entries:
                names = sorted(os.fsencode(entry.name) for entry in entries)
            paths = [(name, b"/".join([folder, name]) if folder else name) for name in names]
            return [path for name, path in paths if self._pack_entry(opened, name, path)]
        finally:
            os.close(opened)

    def _pack_entry(self, folder: int, name: bytes, path: bytes) -> bool:
        """Write one entry and return whether it is a folder whose content is to follow."""
        arcname = self._name(path)
        try:
            entry = self.archive.gettarinfo(f"/proc/self/fd/{folder}/{os.fsdecode(name)}", arcname)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            return False
        is_kept = entry is not None and (entry.isreg() or entry.islnk() or entry.isdir() or entry.issym())
        if not is_kept or len(path) > MAX_PATH_BYTES:
            self.left_out.append(arcname)
        elif entry.isreg():
            self._pack_file(folder, name, arcname)
        else:
            self.archive.addfile(entry)
            return entry.isdir() and path != b"worktrees"
        return False

    def _pack_file(self, folder: int, name: bytes, arcname: str) -> None:
        descriptor = self._open(folder, name, os.O_NONBLOCK, arcname)
        if descriptor is None:
            return
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            entry = self.archive.gettarinfo(arcname=arcname, fileobj=file)
            if entry is not None and entry.isreg():
                self.archive.addfile(entry, file)

    def _open(self, folder: int, name: bytes, flags: int, arcname: str) -> int | None:
        """Return a descriptor that no link has led astray; None when there is nothing to be had."""
        try:
            return open_beneath(folder, name, os.O_RDONLY | flags)
        except OSError as error:
            if error.errno == errno.EACCES:
                self.left_out.append(arcname)
            elif error.errno not in _GONE:
                raise
            return None

    def _name(self, path: bytes) -> str:
        return f"{self.root.name}/{os.fsdecode(path)}" if path else self.root.name
