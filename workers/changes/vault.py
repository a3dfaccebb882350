"""The folder beside the files that makes changes safe: lock, journal, staged files, backups named by their
content.

- lock: held by the one writer.
- journal: see `journal`.
- stage/: new content, complete before anything visible changes; renamed into place.
- objects/: backups of what a transaction replaces, named by blake3; used to give up, dropped at a checkpoint.
- trash/: what was deleted, until its transaction is done.
- displaced/: what recovery found in the way and did not know; kept, so that nobody's edit is lost.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from workers.changes.errors import StorageFailed, storage_error
from workers.changes.journal import Journal
from workers.changes.opening import Tree, sync_filesystem
from workers.changes.paths import to_bytes
from workers.changes.states import ABSENT, State, dir_state, file_state, link_state

_CHUNK = 1 << 20
JOURNAL_LIMIT_BYTES = 8 << 20
BACKUP_LIMIT_BYTES = 64 << 20


class Vault:
    """An open vault together with the tree that it protects. The caller holds the lock."""

    def __init__(self, files_dir: Path, vault_dir: Path) -> None:
        self.path = vault_dir
        self.tree = Tree(files_dir)
        try:
            folder(vault_dir, "trash")
            self.stage_fd = os.open(folder(vault_dir, "stage"), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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

    def state_at(self, path: str, *, is_kept: bool = False) -> State:
        """Return what is at `path`; with `is_kept`, a file's content is in `objects/` afterwards.

        Raises:
            PathRefused: a part of the path is a link.
        """
        status = self.tree.lstat(path)
        if status is None:
            return ABSENT
        if stat.S_ISLNK(status.st_mode):
            return link_state(self.tree.read_link(path))
        if stat.S_ISDIR(status.st_mode):
            return dir_state(stat.S_IMODE(status.st_mode))
        fd, status = self.tree.open_regular(path)
        try:
            version, size = self._keep(fd) if is_kept else _digest(fd)
        finally:
            os.close(fd)
        return file_state(version, stat.S_IMODE(status.st_mode), size)

    def _keep(self, fd: int) -> tuple[str, int]:
        if os.fstat(fd).st_size <= _CHUNK:
            data = os.read(fd, _CHUNK + 1)
            if len(data) <= _CHUNK:
                version = blake3(data).hexdigest()
                if not self.has_object(version):
                    self._add_object(version, self._write_stage("backup", data))
                return version, len(data)
            os.lseek(fd, 0, os.SEEK_SET)
        with open(os.dup(fd), "rb") as source:  # noqa: PTH123 - a descriptor
            version, size = self.stage("backup", source)
        self._add_object(version, "backup")
        return version, size

    def _write_stage(self, name: str, data: bytes) -> str:
        self.stage(name, data)
        return name

    def _add_object(self, version: str, staged: str) -> None:
        target = self.object_path(version)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(staged, target, src_dir_fd=self.stage_fd)
        self.journal.tail.vault_bytes += target.stat().st_size

    def object_path(self, version: str) -> Path:
        return self.path / "objects" / version[:2] / version

    def has_object(self, version: str) -> bool:
        return self.object_path(version).exists()

    def open_object(self, version: str) -> BinaryIO:
        """Return the backup with this content, checked against its name.

        Raises:
            StorageFailed: its bytes are not the ones it was named after.
        """
        file = self.object_path(version).open("rb")
        if _digest(file.fileno())[0] != version:
            file.close()
            raise StorageFailed("A backup in the vault is damaged.", version=version)
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

    def staged_version(self, name: str) -> str:
        """Return the version of a staged file; "" when it is not there."""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self.stage_fd)
        except FileNotFoundError:
            return ""
        try:
            return _digest(fd)[0]
        finally:
            os.close(fd)

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

    def checkpoint(self) -> None:
        """Put everything applied so far on disk, then forget how it came there."""
        sync_filesystem(self.stage_fd)
        self.journal.reset()
        self.clear_stage()
        remove_tree(self.path / "objects")
        for path in (self.path / "trash").iterdir():
            remove_tree(path)


def folder(vault_dir: Path, name: str) -> Path:
    """Return a folder of the vault, made when it is first needed."""
    path = vault_dir / name
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def remove_tree(path: Path) -> None:
    """Remove a folder and everything below it without following a link; unreadable folders are opened up
    first.
    """

    def open_up(_: object, name: str, error: tuple[type[BaseException], BaseException, object]) -> None:
        if isinstance(error[1], FileNotFoundError):
            return
        parent = Path(name).parent
        for each in (parent, Path(name)):
            if each.is_dir() and not each.is_symlink():
                each.chmod(0o700)
        if Path(name).is_dir() and not Path(name).is_symlink():
            shutil.rmtree(name)
        else:
            Path(name).unlink(missing_ok=True)

    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, onerror=open_up)


def _digest(fd: int) -> tuple[str, int]:
    digest, size = blake3(), 0
    while piece := os.pread(fd, _CHUNK, size):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size
