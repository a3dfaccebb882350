"""Removing folders that somebody else has filled: deeper than a path may be long, with folders that nobody may read.

Nothing is done by recursion: a folder inside another is first lifted to the top by a rename, so that two descriptors and
short names are enough however deep the nesting is. No link is followed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections import deque
from pathlib import Path

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> None:
    """Remove a folder and everything below it, or a file; nothing happens when nothing is there.

    Raises:
        OSError: something below it may not be removed, or somebody keeps writing there.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    with contextlib.suppress(FileNotFoundError):
        top = _open_folder(path)
        try:
            _empty(top)
        finally:
            os.close(top)
        path.rmdir()


def _empty(top: int) -> None:
    lifted = f".removing-{secrets.token_hex(8)}-"
    pending = deque(os.fsencode(name) for name in os.listdir(top))
    count = 0
    while pending:
        name = pending.popleft()
        try:
            folder = _open_folder(name, top)
        except NotADirectoryError:
            os.unlink(name, dir_fd=top)
            continue
        except FileNotFoundError:
            continue
        try:
            for inner in _folders_left(folder):
                count += 1
                place = os.fsencode(f"{lifted}{count}")
                os.rename(inner, place, src_dir_fd=folder, dst_dir_fd=top)
                pending.append(place)
        finally:
            os.close(folder)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(name, dir_fd=top)


def _folders_left(folder: int) -> list[bytes]:
    """Remove the files of an open folder and return the names of its folders, which may be moved now."""
    found = []
    with os.scandir(folder) as entries:
        listed = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in listed:
        with contextlib.suppress(FileNotFoundError):
            if is_folder:
                os.close(_open_folder(name, folder))  # what may not be written may not be moved either
                found.append(name)
            else:
                os.unlink(name, dir_fd=folder)
    return found


def _open_folder(path: Path | bytes, parent: int | None = None) -> int:
    """Return a descriptor of a folder, after giving ourselves the right to empty it.

    Raises:
        NotADirectoryError: it is something else.
    """
    place = os.open(path, _FOLDER | os.O_PATH, dir_fd=parent)
    try:
        if os.fstat(place).st_mode & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{place}", 0o700)  # noqa: PTH101 - a descriptor, so no link is followed
        return os.open(b".", os.O_RDONLY | _FOLDER, dir_fd=place)
    finally:
        os.close(place)
