"""One writer at a time: an advisory lock on a file, which the kernel releases however its holder ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.changes.errors import WorkspaceBusy, storage_error

_POLL_S = 0.005


@contextmanager
def hold_lock(path: Path, *, timeout_s: float = 30.0) -> Iterator[None]:
    """Hold the lock at `path`; other threads and processes wait.

    Raises:
        WorkspaceBusy: somebody else kept it for `timeout_s`.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise storage_error(error, "open the lock") from error
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WorkspaceBusy(waited_s=timeout_s) from None
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(fd)
