"""The one door to files of a workspace: `openat2` that never leaves the tree and never follows a link.

Checking a path first and opening it afterwards can be raced by a process that swaps a directory for a link in
between (seen 292 times in 10 s); here the kernel checks while it opens. There is no fallback for a kernel
without `openat2`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from workers.changes.errors import (
    AccessDenied,
    FileMissing,
    KernelTooOld,
    NotAFile,
    PathRefused,
    StorageFailed,
    StorageFull,
    storage_error,
)
from workers.changes.paths import check_path, to_bytes, to_portable

_SYS_OPENAT2 = 437  # the same number on every architecture: it is younger than the unified table
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_RESOLVE = _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS
_STATX_INO, _STATX_BTIME, _STATX_MNT_ID, _STATX_MNT_ID_UNIQUE = 0x100, 0x800, 0x1000, 0x4000
_AT_SYMLINK_NOFOLLOW, _AT_EMPTY_PATH = 0x100, 0x1000
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(dir_fd: int, path: bytes, flags: int, mode: int = 0) -> int:
    """Return a descriptor for `path` below `dir_fd`; a link in it is ELOOP, leaving the tree EXDEV."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, _RESOLVE)
    while True:
        fd = _libc.syscall(
            _SYS_OPENAT2, dir_fd, ctypes.c_char_p(path or b"."), ctypes.byref(how), ctypes.sizeof(how)
        )
        if fd >= 0:
            return int(fd)
        code = ctypes.get_errno()
        if code not in (errno.EINTR, errno.EAGAIN):  # EAGAIN: a rename elsewhere made the walk uncertain
            raise OSError(code, os.strerror(code), os.fsdecode(path))


def rename_new(src_fd: int, src: bytes, dst_fd: int, dst: bytes) -> None:
    """Rename without ever replacing; EEXIST when something is at the destination."""
    _rename(src_fd, src, dst_fd, dst, _RENAME_NOREPLACE)


def exchange(src_fd: int, src: bytes, dst_fd: int, dst: bytes) -> None:
    """Let two names change places in one step; EINVAL where the file system cannot."""
    _rename(src_fd, src, dst_fd, dst, _RENAME_EXCHANGE)


def _rename(src_fd: int, src: bytes, dst_fd: int, dst: bytes, flags: int) -> None:
    if _libc.renameat2(src_fd, src, dst_fd, dst, flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), os.fsdecode(dst))


def mount_of(fd: int) -> int:
    """Return the number of the mount that `fd` lies on; a file system that went away and came back has
    another.

    Kernels before 6.8 use a number again once its mount is gone, so there it only tells mounts apart that
    coexist.
    """
    found = _statx(fd, b"", _AT_EMPTY_PATH, _STATX_MNT_ID | _STATX_MNT_ID_UNIQUE)
    return int.from_bytes(found[144:152], sys.byteorder)


def identity_at(dir_fd: int, name: bytes) -> tuple[int, int]:
    """Return inode number and time of birth in ns of a name in a folder: a number alone is soon reused."""
    found = _statx(dir_fd, name, _AT_SYMLINK_NOFOLLOW, _STATX_INO | _STATX_BTIME)
    seconds, nanoseconds = (
        int.from_bytes(found[80:88], sys.byteorder),
        int.from_bytes(found[88:92], sys.byteorder),
    )
    return int.from_bytes(found[32:40], sys.byteorder), seconds * 10**9 + nanoseconds


def _statx(dir_fd: int, name: bytes, flags: int, mask: int) -> bytes:
    found = ctypes.create_string_buffer(256)
    if _libc.statx(dir_fd, name, flags, mask, found) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), os.fsdecode(name))
    return found.raw


def sync_filesystem(fd: int) -> None:
    """Flush the whole file system that `fd` lies on; OSError when the disk failed since the last time."""
    if _libc.syncfs(fd) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class Tree:
    """An open directory and what lies below it. Close it, or use it as a context manager."""

    def __init__(self, root: Path) -> None:
        try:
            self.fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise FileMissing("The workspace has no files.", path="") from None
        except OSError as error:
            raise storage_error(error, "open the workspace") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def open(self, path: str, flags: int, mode: int = 0) -> int:
        """Return a descriptor for `path`.

        Raises:
            PathRefused: it leaves the tree or passes through a link.
            FileMissing: nothing is there.
            NotAFile: a part of it is a file.
        """
        check_path(path, is_root_allowed=True)
        try:
            return open_beneath(self.fd, to_bytes(path), flags, mode)
        except OSError as error:
            raise explain(error, path) from error

    def open_parent(self, path: str) -> tuple[int, bytes]:
        """Return a descriptor of the directory that holds `path`, and the last part of the name."""
        check_path(path)
        folder, _, name = path.rpartition("/")
        return self.open(folder, os.O_PATH | os.O_DIRECTORY), to_bytes(name)

    def lstat(self, path: str) -> os.stat_result | None:
        """Return what is at `path` itself (a link is a link); None when nothing is."""
        try:
            parent, name = self.open_parent(path)
        except (FileMissing, NotAFile):
            return None
        try:
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain(error, path) from error
        finally:
            os.close(parent)

    def read_link(self, path: str) -> bytes:
        """Return the target of the symbolic link at `path`."""
        parent, name = self.open_parent(path)
        try:
            return os.readlink(name, dir_fd=parent)
        except OSError as error:
            raise explain(error, path) from error
        finally:
            os.close(parent)

    def open_regular(self, path: str) -> tuple[int, os.stat_result]:
        """Return a reading descriptor and its status; never waits on a pipe, never opens a device.

        Raises:
            NotAFile: a directory, a pipe, a socket or a device.
        """
        fd = self.open(check_path(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise NotAFile("This is not a regular file.", path=to_portable(path))
        return fd, status


def explain(error: OSError, path: str) -> Exception:
    """Return the named error for what the kernel said about `path`."""
    shown = to_portable(path)
    if error.errno in (errno.ELOOP, errno.EXDEV):
        return PathRefused("The path passes through a symbolic link.", path=shown, reason="symlink")
    if error.errno == errno.ENOENT:
        return FileMissing("Nothing is at this path.", path=shown)
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.ENXIO):
        return NotAFile("This is not a regular file.", path=shown)
    if error.errno in (errno.EACCES, errno.EPERM):
        return AccessDenied("The permissions of the file do not allow it.", path=shown)
    if error.errno == errno.ENAMETOOLONG:
        return PathRefused("The path is too long.", path=shown, reason="too_long")
    if error.errno == errno.ENOSYS:
        return KernelTooOld("This kernel has no openat2; this server needs Linux 5.6 or newer.", path=shown)
    found: StorageFull | StorageFailed = storage_error(error, "open a file")
    return found
