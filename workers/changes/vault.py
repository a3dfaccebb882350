"""The folder beside the files that makes changes safe: lock, journal, staged files, backups named by content.

- lock: held by the one writer.
- journal: see `journal`.
- stage/: new content, complete before anything visible changes; renamed into place.
- objects/: backups of what a transaction replaces, named by blake3; used to give up, dropped at a checkpoint.
- trash/: what was deleted, until its transaction is done.
- displaced/: what recovery found in the way and did not know; kept, so that nobody's edit is lost.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from workers.changes.errors import BackupDamaged, FileMissing, NotAFile, storage_error
from workers.changes.journal import Journal
from workers.changes.opening import Tree, explain, sync_filesystem
from workers.changes.paths import from_bytes, to_bytes, to_portable
from workers.changes.removal import remove_tree
from workers.changes.states import ABSENT, State, dir_state, file_state, link_state

_CHUNK = 1 << 20
JOURNAL_LIMIT_BYTES = 8 << 20
BACKUP_LIMIT_BYTES = 64 << 20


Signature = tuple[int, ...]
"""What tells cheaply whether somebody touched a path since; empty when nothing is there."""


def signature_of(status: os.stat_result) -> Signature:
    """Return the signature; without the time of the last rename, which an exchange itself sets."""
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode)


class Vault:
    """An open vault together with the tree that it protects. The caller holds the lock."""

    def __init__(self, files_dir: Path, vault_dir: Path) -> None:
        self.path = vault_dir
        self.tree = Tree(files_dir)
        try:
            self.stage_fd = _open_folders(vault_dir)
            self.journal = Journal(vault_dir / "journal")
        except OSError as error:
            self.tree.close()
            raise storage_error(error, "open the vault") from error
        except BaseException:
            self.tree.close()
            raise

    def close(self) -> None:
        self.journal.close()
        os.close(self.stage_fd)
        self.tree.close()

    def state_at(self, path: str) -> State:
        """Return what is at `path`.

        Raises:
            PathRefused: a part of the path is a link.
        """
        return self.look(path)[0]

    def look(self, path: str) -> tuple[State, Signature]:
        """Return what is at `path`, and the signature that it had before it was read."""
        try:
            parent, name = self.tree.open_parent(path)
        except (FileMissing, NotAFile):
            return ABSENT, ()
        try:
            return self.look_in(parent, name)
        except OSError as error:
            raise explain(error, path) from error
        finally:
            os.close(parent)

    def look_in(self, folder_fd: int, name: bytes) -> tuple[State, Signature]:
        """Do the same for a name in an open folder; never follows a link, never waits on a pipe.

        Raises:
            NotAFile: it is a pipe, a socket or a device.
        """
        try:
            status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
        except FileNotFoundError:
            return ABSENT, ()
        signature = signature_of(status)
        if stat.S_ISLNK(status.st_mode):
            return link_state(os.readlink(name, dir_fd=folder_fd)), signature
        if stat.S_ISDIR(status.st_mode):
            return dir_state(stat.S_IMODE(status.st_mode)), signature
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder_fd)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise NotAFile("This is not a regular file.", path=to_portable(from_bytes(name)))
            version, size = _digest(fd)
        finally:
            os.close(fd)
        return file_state(version, stat.S_IMODE(status.st_mode), size), signature

    def retire(self, name: str, old: State) -> None:
        """Keep what was exchanged into `stage/name` as the backup of `old`, under the name of its content."""
        if old.kind != "file":
            self.unstage(name)
            return
        os.rename(name, self.object_path(old.version), src_dir_fd=self.stage_fd)
        self.journal.tail.vault_bytes += old.size

    def keep_copy(self, path: str) -> None:
        """Copy a file to `objects/`, for file systems where names cannot be exchanged."""
        state = self.state_at(path)
        if state.kind == "file":
            fd, _ = self.tree.open_regular(path)
            with open(fd, "rb") as source:  # noqa: PTH123 - a descriptor
                self.stage("backup", source)
            self.retire("backup", state)

    def object_path(self, version: str) -> Path:
        return self.path / "objects" / version

    def open_object(self, version: str) -> BinaryIO:
        """Return the backup with this content, checked against its name.

        Raises:
            BackupDamaged: its bytes are not the ones it was named after.
        """
        file = self.object_path(version).open("rb")
        if _digest(file.fileno())[0] != version:
            file.close()
            raise BackupDamaged(
                "A backup in the vault is damaged; whoever runs this server has to restore it, and to look at the disk.",
                version=version,
            )
        return file

    def stage(
        self, name: str, data: bytes | BinaryIO, *, mode: int = 0o600, is_durable: bool = False
    ) -> tuple[str, int]:
        """Write new content to `stage/name`; return its version and size."""
        digest, size = blake3(), 0
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=self.stage_fd)
        try:
            if not isinstance(data, bytes):
                data.seek(0)
            for piece in [data] if isinstance(data, bytes) else iter(lambda: data.read(_CHUNK), b""):
                digest.update(piece)
                size += len(piece)
                view = memoryview(piece)
                while view:
                    view = view[os.write(fd, view) :]
            os.fchmod(fd, mode)
            if is_durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        return digest.hexdigest(), size

    def stage_link(self, name: str, target: str) -> None:
        self.unstage(name)
        os.symlink(to_bytes(target), to_bytes(name), dir_fd=self.stage_fd)

    def unstage(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self.stage_fd)
        except FileNotFoundError:
            pass

    def staged(self, name: str) -> State:
        """Return what is in `stage/name`."""
        return self.look_in(self.stage_fd, to_bytes(name))[0]

    def clear_stage(self) -> None:
        """Drop what an interrupted writer left; nothing committed is kept only here once it was recovered."""
        for name in os.listdir(self.stage_fd):  # noqa: PTH208 - a descriptor
            self.unstage(name)

    def give_up_stage(self) -> None:
        """Drop what was staged for a transaction that did not come to be."""
        try:
            self.clear_stage()
            self.journal.write_tail(is_clean=True)
        except OSError:
            return  # the reason for giving up is the one to report; leftovers go at the next checkpoint

    def displace(self, path: str) -> str:
        """Copy what is at `path` to `displaced/` and return the name there."""
        kept = folder(self.path, "displaced")
        state = self.state_at(path)
        if state.kind == "link":
            name = blake3(to_bytes(state.target)).hexdigest() + ".link"
            self.stage(name, to_bytes(state.target))
        else:
            fd, _ = self.tree.open_regular(path)
            name = state.version
            with open(fd, "rb") as source:  # noqa: PTH123 - a descriptor
                self.stage(name, source)
        os.rename(name, kept / name, src_dir_fd=self.stage_fd)
        return name

    def is_checkpoint_due(self) -> bool:
        tail = self.journal.tail
        return tail.end > JOURNAL_LIMIT_BYTES or tail.vault_bytes > BACKUP_LIMIT_BYTES

    def flush_all(self) -> None:
        """Wait until everything on this file system is on disk; for the rare ends where nothing may be
        missed."""
        sync_filesystem(self.stage_fd)

    def forget(self) -> None:
        """Start an empty journal and drop the backups; what was applied must be on disk."""
        self.journal.reset()
        self.clear_stage()
        for name in ("objects", "trash"):
            for path in (self.path / name).iterdir():
                remove_tree(path)


def _open_folders(vault_dir: Path) -> int:
    """Return a descriptor of `stage/`, after making the vault's folders when this is its first use."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(vault_dir / "stage", flags)
    except FileNotFoundError:
        for name in ("objects", "trash", "stage"):
            folder(vault_dir, name)
        return os.open(vault_dir / "stage", flags)


def folder(vault_dir: Path, name: str) -> Path:
    """Return a folder of the vault, made when it is first needed."""
    path = vault_dir / name
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _digest(fd: int) -> tuple[str, int]:
    digest, size = blake3(), 0
    while True:
        piece = os.pread(fd, _CHUNK, size)
        digest.update(piece)
        size += len(piece)
        if len(piece) < _CHUNK:
            return digest.hexdigest(), size
