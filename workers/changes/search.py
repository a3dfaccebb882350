"""Search in files, bounded in time whatever the pattern is.

Python's `re` cannot be interrupted (26 characters hold `(a+)+$` for 5.7 s), so the search runs in a child
process that imports nothing of ours, starts in about 20 ms, and is killed when its time is over. It sees no
environment, and its memory and processor time are limited by the kernel as well.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workers.changes.errors import SearchPatternInvalid
from workers.changes.paths import to_portable

_CHILD = Path(__file__).with_name("search_child.py")
MAX_FILE_BYTES = 8 << 20  # larger files are data, not something to read matches in


@dataclass(frozen=True, slots=True)
class Match:
    """One line that matches; `line` and `column` count from 1, columns in characters."""

    path: str
    line: int
    column: int
    text: str


class Matches(list[Match]):
    """Matches in order of path and line; `ended_by` says why the search stopped, `skipped` counts
    text files that were not read for their size.
    """

    ended_by: Literal["done", "limit", "time", "memory"] = "done"
    skipped: int = 0


def search_files(
    root: Path,
    query: str,
    *,
    is_regex: bool,
    is_case_sensitive: bool,
    path_glob: str,
    limit: int,
    timeout_s: float,
) -> Matches:
    """Return the matches below `root`; see `WorkspaceFiles.search`."""
    deadline = time.monotonic() + timeout_s
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    ask = {
        "fd": fd,
        "query": query,
        "is_regex": is_regex,
        "is_case_sensitive": is_case_sensitive,
        "path_glob": path_glob,
        "limit": limit,
        "cpu_s": int(timeout_s) + 1,
        "max_file_bytes": MAX_FILE_BYTES,
    }
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8"},
            pass_fds=(fd,),
            cwd="/",
        )
    finally:
        os.close(fd)
    with child:
        try:
            return _collect(child, json.dumps(ask).encode(), limit, deadline)
        finally:
            child.kill()


def _collect(child: subprocess.Popen[bytes], ask: bytes, limit: int, deadline: float) -> Matches:
    assert child.stdin is not None and child.stdout is not None  # noqa: S101 - opened as pipes above
    child.stdin.write(ask)
    child.stdin.close()
    found = Matches()
    waiting = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                found.ended_by = "time"
                return found
            piece = os.read(child.stdout.fileno(), 1 << 16)
            if not piece:
                found.ended_by = "memory"  # the child ended without its last line: a kernel limit stopped it
                return found
            *lines, waiting = (waiting + piece).split(b"\n")
            for line in lines:
                if _take(json.loads(line), found, limit):
                    return found


def _take(message: dict[str, Any], found: Matches, limit: int) -> bool:
    """Add one message of the child; return whether it was the last."""
    if "error" in message:
        raise SearchPatternInvalid(f"The pattern is not valid: {to_portable(message['error'])}.")
    if "ended_by" in message:
        found.ended_by, found.skipped = message["ended_by"], message["skipped"]
        return True
    found.append(Match(message["path"], message["line"], message["column"], message["text"]))
    if len(found) >= limit:
        found.ended_by = "limit"
        return True
    return False
