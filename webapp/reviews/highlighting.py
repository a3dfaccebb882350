"""Colours for the lines of a hunk: only those lines, never the whole file, and each hunk once per process.

Pygments does 4,000 to 25,000 lines a second here, so a whole file in a request is out of the question. A hunk begins in the
middle of a file, so a string that opened above it is coloured wrongly; that is the price, and it is only colour.
"""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from pathlib import PurePosixPath

from pygments.lexer import Lexer
from pygments.lexers import find_lexer_class_for_filename
from pygments.lexers.special import TextLexer
from pygments.token import STANDARD_TYPES, Token, _TokenType
from pygments.util import ClassNotFound

from webapp.colouring import LINE_CHARS, may_colour
from webapp.reviews.characters import visible_html

HIGHLIGHT_CHARS = 60_000
MARK_LINES = 40
MARK_CHARS = 400
MARK_WORDS = 120
"""Lines of more words are shown without marks: the time to compare two grows with the cube of their words."""

# What static/css/code.css gives a colour; a span for anything else is weight without effect.
COLOURED = frozenset(
    [
        "k",
        "kc",
        "kd",
        "kn",
        "kp",
        "kr",
        "ow",
        "kt",
        "nc",
        "nn",
        "ne",
        "bp",
        "nb",
        "s",
        "sa",
        "sb",
        "sc",
        "dl",
        "sd",
        "s1",
        "s2",
        "se",
        "sh",
        "si",
        "sx",
        "sr",
        "ss",
        "m",
        "mb",
        "mf",
        "mh",
        "mi",
        "mo",
        "il",
        "c",
        "ch",
        "cm",
        "cp",
        "cpf",
        "c1",
        "cs",
        "nf",
        "fm",
        "nd",
        "nt",
        "na",
    ]
)

Span = tuple[str, str]
Range = tuple[int, int]
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@lru_cache(maxsize=256)
def _lexer_for(name: str) -> Lexer | None:
    try:
        found = find_lexer_class_for_filename(name)
    except ClassNotFound:
        return None
    return found(stripnl=False, ensurenl=False) if found and found is not TextLexer else None


def _class_of(token: _TokenType) -> str:
    while token not in STANDARD_TYPES:
        token = token.parent or Token
    name: str = STANDARD_TYPES[token]
    return name if name in COLOURED else ""


@lru_cache(maxsize=4096)
def highlight(file_name: str, lines: tuple[str, ...]) -> tuple[tuple[Span, ...], ...]:
    """Return for each line its pieces as (Pygments' short class, text); one plain piece where no language is known."""
    lexer = _lexer_for(PurePosixPath(file_name).name)
    # A form feed or a lone CR would make Pygments see more lines than git does.
    text = "\n".join(lines)
    if lexer is None or len(text) > HIGHLIGHT_CHARS or not may_colour(text, next(iter(lexer.aliases), "")):
        return tuple((("", line),) for line in lines)
    rows: list[list[Span]] = [[]]
    for _, token, value in lexer.get_tokens_unprocessed(text):
        name = _class_of(token)
        first, *rest = value.split("\n")
        _add(rows[-1], name, first)
        for part in rest:
            rows.append([])
            _add(rows[-1], name, part)
    if ["".join(piece for _, piece in row) for row in rows] != list(lines):
        return tuple((("", line),) for line in lines)
    return tuple(tuple(row) for row in rows)


def _add(row: list[Span], name: str, text: str) -> None:
    if text and row and row[-1][0] == name:
        row[-1] = (name, row[-1][1] + text)
    elif text:
        row.append((name, text))


@lru_cache(maxsize=4096)
def changed_ranges(old: str, new: str) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    """Return which characters of a replaced line differ, on both sides; nothing where the lines have little in common."""
    if len(old) > MARK_CHARS or len(new) > MARK_CHARS:
        return (), ()
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    if max(len(before), len(after)) > MARK_WORDS:
        return (), ()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < 0.5:
        return (), ()
    left: list[Range] = []
    right: list[Range] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        if i2 > i1:
            left.append((len("".join(before[:i1])), len("".join(before[:i2]))))
        if j2 > j1:
            right.append((len("".join(after[:j1])), len("".join(after[:j2]))))
    return tuple(left), tuple(right)


def line_html(spans: tuple[Span, ...], marks: tuple[Range, ...] = ()) -> str:
    """Return one line as safe HTML: colour classes, changed characters in `<mark>`, hidden characters named, long lines cut."""
    out: list[str] = []
    at = 0
    for name, text in spans:
        if at >= LINE_CHARS:
            break
        text = text[: LINE_CHARS - at]
        html = _with_marks(text, at, marks) if marks else visible_html(text)
        out.append(f'<span class="{name}">{html}</span>' if name else html)
        at += len(text)
    left_out = sum(len(text) for _, text in spans) - at
    if left_out > 0:
        out.append(f'<span class="cut">… {left_out:,} more characters</span>')
    return "".join(out)


def _with_marks(text: str, at: int, marks: tuple[Range, ...]) -> str:
    out: list[str] = []
    position = at
    end = at + len(text)
    for start, stop in marks:
        start, stop = max(start, at), min(stop, end)
        if start >= stop:
            continue
        out.append(visible_html(text[position - at : start - at]))
        out.append(f"<mark>{visible_html(text[start - at : stop - at])}</mark>")
        position = stop
    out.append(visible_html(text[position - at :]))
    return "".join(out)
