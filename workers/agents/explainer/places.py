"""Places in files that stand in an answer's own words, such as `calc.py:3` or `my notes/read me.md:12`.

A path may hold spaces, and only the files tell where it begins. So each place has readings, the longest first: what stands
between backticks, and as many words before it as a path may have. The first that names a file is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

MAX_PATH_CHARS = 300
MAX_WORDS = 12
"""How far a path with spaces may reach back: bounds what is read for one place, and the time for any answer."""
_FENCE = re.compile(r"(```.*?(?:```|\Z))", re.DOTALL)
_LINES = r":(?P<{}>\d{{1,7}})(?:[-–]\d{{1,7}})?"
_PLACE = re.compile(
    rf"(?<!\[)`(?P<quoted>[^`\n:]{{1,{MAX_PATH_CHARS}}}){_LINES.format('line')}`(?!\])"
    rf"|(?<![\w/\[(:.-])(?P<bare>(?:[\w.-]+/)*[\w.-]*\w\.[A-Za-z]\w{{0,7}}){_LINES.format('number')}(?![\w/]|`?\]\()"
)
_WORD = re.compile(r"(?<![\w./-])\S")
_EXTENSIONS = (
    "py pyi js mjs jsx ts tsx rs go java c h cc cpp hpp rb php cs kt swift sh sql "
    "html css md toml yml yaml json cfg ini txt"
)
_KNOWN = frozenset(_EXTENSIONS.split())

Files = Mapping[str, Sequence[str] | None]
"""The lines of each file that an answer may name; None where there is no such text file."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text: where it stands, the line it names, and the paths that may be meant, the longest first."""

    start: int
    end: int
    line: int
    readings: tuple[str, ...]
    path_end: int
    is_quoted: bool

    def path(self, files: Files) -> str:
        """Return the path that is meant; where no reading names a file, what stands in backticks or the last word."""
        found = (each for each in self.readings if files.get(each) is not None)
        return next(found, self.readings[0 if self.is_quoted else -1])

    def span(self, path: str) -> tuple[int, int]:
        """Return where the place stands when `path`, one of the readings, is meant; the backticks around it go with it."""
        start = self.path_end - len(path)
        if self.is_quoted:
            return (self.start, self.end) if start == self.start + 1 else (start, self.end - 1)
        return start, self.end

    def problem(self, files: Files) -> str:
        """Return why there is no such place; empty when there is, or when it names no file at all, as `example.org:80`."""
        path = self.path(files)
        if not is_file_name(path, files):
            return ""
        lines = files.get(path)
        if lines is None:
            return "there is no such text file"
        return "" if 0 < self.line <= len(lines) else f"the file has {len(lines)} lines"


def is_file_name(path: str, files: Files) -> bool:
    """Return whether `path` is a file, or reads as one does."""
    return files.get(path) is not None or path.rpartition(".")[2].lower() in _KNOWN


def prose_and_code(answer: str) -> list[str]:
    """Return the answer in pieces: words, a block of code, words, …"""
    return _FENCE.split(answer)


def places_in(text: str) -> Iterator[Place]:
    """Yield the places in a text, in order."""
    floor = 0
    for match in _PLACE.finditer(text):
        is_quoted = match["quoted"] is not None
        begin, path_end = match.span("quoted" if is_quoted else "bare")
        if is_quoted:
            starts = [begin, *_word_starts(text, begin, path_end)]
        else:
            starts = [*_word_starts(text, max(floor, _reach(text, begin)), begin), begin]
        readings = tuple(dict.fromkeys(text[at:path_end] for at in starts))
        line = int(match["line"] or match["number"])
        yield Place(match.start(), match.end(), line, readings, path_end, is_quoted)
        floor = match.end()


def _reach(text: str, begin: int) -> int:
    """How far back a path may begin: on the same line, behind any backtick, and not too far."""
    furthest = max(0, begin - MAX_PATH_CHARS)
    return max(furthest, *(text.rfind(end, furthest, begin) + 1 for end in "\n`"))


def _word_starts(text: str, start: int, end: int) -> list[int]:
    return [match.start() for match in _WORD.finditer(text, start, end)][-MAX_WORDS:]
