"""Writing into a run's own files, through the same door as reading: `openat2`, beneath, no links.

A worktree belongs to one run and its checkpoints are commits, so a write needs no vault; it still replaces a
file by rename, so that a reader or a killed worker never leaves half a file.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from workers.changes.errors import NotAFile, storage_error
from workers.changes.opening import Tree, explain
from workers.changes.paths import check_path, parents_of, to_portable


def write_file(root: Path, path: str, data: bytes) -> bool:
    """Write `data` at `path`, making the folders above it; return whether the file is new.

    Raises:
        PathRefused: the path leaves the tree or passes through a link.
        NotAFile: a folder or something special is there.
        StorageFull: the disk is full; the old content stands.
    """
    check_path(path)
    with Tree(root) as tree:
        found = tree.lstat(path)
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise NotAFile("This is not a regular file.", path=to_portable(path))
        for folder in parents_of(path):
            _make_dir(tree, folder)
        parent, name = tree.open_parent(path)
        try:
            _replace(parent, name, data, mode=stat.S_IMODE(found.st_mode) if found else 0o644)
        except OSError as error:
            raise storage_error(error, "write") from error
        finally:
            os.close(parent)
    return found is None


def delete_file(root: Path, path: str) -> None:
    """Remove the file or link at `path`.

    Raises:
        FileMissing: nothing is there.
        NotAFile: a folder is there.
    """
    check_path(path)
    with Tree(root) as tree:
        parent, name = tree.open_parent(path)
        try:
            os.unlink(name, dir_fd=parent)
        except OSError as error:
            raise explain(error, path) from error
        finally:
            os.close(parent)


def _make_dir(tree: Tree, folder: str) -> None:
    if tree.lstat(folder) is not None:
        return
    parent, name = tree.open_parent(folder)
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        return
    except OSError as error:
        raise storage_error(error, "make a folder") from error
    finally:
        os.close(parent)


def _replace(parent: int, name: bytes, data: bytes, *, mode: int) -> None:
    temporary = b".pyagent-" + secrets.token_hex(8).encode()
    # `parent` may be an O_PATH descriptor; the name has no slash, so nothing can be followed out of it.
    fd = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=parent
    )
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        os.unlink(temporary, dir_fd=parent)
        raise
