"""The source that a request is about, so that a model with few turns need not look for it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from workers.changes.errors import ChangeError
from workers.changes.files import Entry, WorkspaceFiles
from workers.tools.text import clean

MAX_FILES = 6
MAX_WALKED = 2000
_SOURCE = re.compile(r"\.(py|pyi|js|mjs|ts|tsx|jsx|go|rs|java|c|cc|cpp|h|hpp|rb|php|sh|toml|cfg|html|css)$")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")
_DEFINED = re.compile(
    r"^[ \t]*(?:async def|def|class|function|fn|func|pub fn|struct|const|let|var)\s+(\w+)", re.MULTILINE
)


def show_sources(files: WorkspaceFiles, goal: str, failing: str, *, limit: int) -> str:
    """Return whole files that the request or the failing tests speak of, the most telling first.

    Args:
        goal: The request.
        failing: What failing tests printed, with the paths in it; empty when none fail, and no test is shown.
        limit: Characters in all; a file that does not fit is left out.
    """
    shown: list[str] = []
    left = limit
    for path, text in _by_relevance(read_sources(files, with_tests=bool(failing)), goal, failing):
        block = show_file(path, text)
        if len(block) > left or len(shown) == MAX_FILES:
            continue
        shown.append(block)
        left -= len(block)
    return "\n".join(shown)


def show_file(path: str, text: str) -> str:
    """Return a file as a model is shown it: path, then the text in a fence, ready to be copied."""
    return f"{path}:\n```\n{clean(text).rstrip()}\n```"


def read_sources(files: WorkspaceFiles, *, with_tests: bool) -> Iterable[tuple[str, str]]:
    """Yield path and text of the source files, as many as are walked in reasonable time."""
    for number, entry in enumerate(files.walk(max_depth=8)):
        if number >= MAX_WALKED:
            return
        if _is_source(entry) and (with_tests or not _is_test(entry.path)):
            try:
                data = files.read(entry.path, max_bytes=64 * 1024).data
            except ChangeError:
                continue
            yield entry.path, data.decode("utf-8", "replace")


def _is_source(entry: Entry) -> bool:
    return entry.kind == "file" and bool(_SOURCE.search(entry.path))


def _by_relevance(found: Iterable[tuple[str, str]], goal: str, failing: str) -> list[tuple[str, str]]:
    words = set(_WORD.findall(goal))
    scored = [(_score(path, text, words, goal, failing), path, text) for path, text in found]
    # A project of a few files is shown whole; in a large one only what something speaks for.
    kept = [item for item in scored if item[0] > 0 or len(scored) <= MAX_FILES]
    kept.sort(key=lambda item: (-item[0], item[1]))
    return [(path, text) for _, path, text in kept if text.strip()]


def _score(path: str, text: str, words: set[str], goal: str, failing: str) -> float:
    name = path.rpartition("/")[2]
    stem = name.partition(".")[0]
    score = 6.0 * (path in goal or name in goal) + 4.0 * (stem in words) + 3.0 * (name in failing)
    score += min(6, 2 * len(words & set(_DEFINED.findall(text))))
    return score / 3 if _is_test(path) else score


def _is_test(path: str) -> bool:
    *folders, name = path.split("/")
    stem = name.partition(".")[0]
    return stem.startswith("test") or stem.endswith("_test") or bool({"test", "tests"} & set(folders))
