"""The process that searches: reads one JSON question from standard input, writes one JSON line per match.

It runs alone (`python -I -S search_child.py`), so it uses the standard library only. It walks by descriptors
and opens every part with O_NOFOLLOW, which keeps it inside the tree.
"""

from __future__ import annotations

import json
import os
import re
import resource
import stat
import sys
from collections.abc import Callable, Iterator
from typing import Any

_TEXT_LIMIT = 400
_MEMORY_BYTES = 512 << 20


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Return a pattern for whole paths; a glob without a slash means the last part of the path."""
    out, index = "", 0
    while index < len(glob):
        rest = glob[index:]
        if rest.startswith("**/"):
            out, index = out + "(?:.*/)?", index + 3
        elif rest.startswith("**"):
            out, index = out + ".*", index + 2
        elif rest[0] == "*":
            out, index = out + "[^/]*", index + 1
        elif rest[0] == "?":
            out, index = out + "[^/]", index + 1
        else:
            out, index = out + re.escape(rest[0]), index + 1
    prefix = "" if "/" in glob else "(?:.*/)?"
    return re.compile(prefix + out.lstrip("/"), re.DOTALL)


def walk(fd: int, prefix: str = "", depth: int = 0) -> Iterator[tuple[int, str, str]]:
    """Yield (descriptor of the folder, name, path) of every regular file, in order of path."""
    folders = []
    for name in sorted(os.listdir(fd)):
        try:
            mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode):
            yield fd, name, prefix + name
        elif stat.S_ISDIR(mode) and name != ".git" and depth < 100:
            folders.append(name)
    for name in folders:
        try:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        except OSError:
            continue
        try:
            yield from walk(below, f"{prefix}{name}/", depth + 1)
        finally:
            os.close(below)


class TooLarge(Exception):
    """A text that is not read for its size."""


def read_text(folder: int, name: str, max_bytes: int) -> str | None:
    """Return the file as text; None when it is binary or gone.

    Raises:
        TooLarge: it is text, by its beginning, of more than `max_bytes`.
    """
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        data = file.read(8000)
        if b"\0" in data:
            return None
        if status.st_size <= max_bytes:
            data += file.read(max_bytes + 1)
    if status.st_size > max_bytes or len(data) > max_bytes:
        raise TooLarge
    return data.decode("utf-8", "surrogateescape")


def shorten(line: str, start: int) -> str:
    """Return the part of a long line around the match."""
    if len(line) <= _TEXT_LIMIT:
        return line
    first = max(0, start - _TEXT_LIMIT // 4)
    return line[first : first + _TEXT_LIMIT]


def matches_in(text: str, pattern: re.Pattern[str], is_literal: bool) -> Iterator[tuple[int, int, str]]:
    """Yield (line, column, shown text) for each matching line of a file."""
    if is_literal and not pattern.search(text):  # whole-file scan first: a literal cannot span lines
        return
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if found := pattern.search(line):
            yield number, found.start() + 1, shorten(line, found.start())


def main(ask: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> None:
    """Answer one question."""
    is_literal = not ask["is_regex"]
    try:
        pattern = re.compile(
            re.escape(ask["query"]) if is_literal else ask["query"],
            0 if ask["is_case_sensitive"] else re.IGNORECASE,
        )
    except (re.error, OverflowError, RecursionError) as error:
        tell({"error": str(error)})
        return
    glob = glob_pattern(ask["path_glob"]) if ask["path_glob"] else None
    count = skipped = 0
    for folder, name, path in walk(ask["fd"]):
        if glob and not glob.fullmatch(path):
            continue
        try:
            text = read_text(folder, name, ask["max_file_bytes"])
        except TooLarge:
            skipped += 1
            continue
        if text is None:
            continue
        for line, column, shown in matches_in(text, pattern, is_literal):
            tell({"path": path, "line": line, "column": column, "text": shown})
            count += 1
            if count >= ask["limit"]:
                tell({"ended_by": "limit", "skipped": skipped})
                return
    tell({"ended_by": "done", "skipped": skipped})


def write_line(message: dict[str, Any]) -> None:
    """Write one message; the reader may stop listening at any time."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    question = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (question["cpu_s"], question["cpu_s"]))
    try:
        main(question, write_line)
    except (BrokenPipeError, MemoryError):
        sys.exit(1)
