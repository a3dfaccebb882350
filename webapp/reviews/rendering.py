"""The rows of a hunk as HTML, written once for both layouts: the stylesheet stacks the sides or puts them side by side.

Lines are built here and not in a template: a review has thousands of them, and this is ten times as fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from django.utils.safestring import SafeString, mark_safe

from webapp.reviews.highlighting import MARK_LINES, Range, Span, changed_ranges, highlight, line_html
from workers.changes.diffs import Line

SHOWN_LINES = 400
"""Of a hunk, before one asks for the rest."""

Notes = Mapping[tuple[str, int], str]
"""Rendered comments by (side, line number)."""


def hunk_html(
    path: str, lines: Sequence[Line], *, notes: Notes | None = None, limit: int | None = SHOWN_LINES
) -> SafeString:
    """Return the rows of a hunk.

    Args:
        path: Names the language.
        lines: Of the hunk, in git's order.
        notes: Comments to stand under their line.
        limit: Show so many lines; None for all.
    """
    shown = lines if limit is None else lines[:limit]
    old_rows, new_rows = _highlighted(path, shown)
    out: list[str] = []
    for is_context, group in groupby(shown, key=lambda line: line.kind == " "):
        block = list(group)
        if is_context:
            out.append(_context(block, old_rows, new_rows, notes or {}))
        else:
            out.append(_change(block, old_rows, new_rows, notes or {}))
    return mark_safe("".join(out))  # noqa: S308 - every text went through visible_html


def _highlighted(path: str, lines: Sequence[Line]) -> tuple[list[tuple[Span, ...]], list[tuple[Span, ...]]]:
    """Return the coloured lines of the old and of the new side, each in order."""
    old = tuple(line.text for line in lines if line.kind != "+")
    new = tuple(line.text for line in lines if line.kind != "-")
    # Reversed, so that each row is taken from the end with pop().
    return list(reversed(highlight(path, old))), list(reversed(highlight(path, new)))


def _context(
    block: list[Line], old: list[tuple[Span, ...]], new: list[tuple[Span, ...]], notes: Notes
) -> str:
    left: list[str] = []
    right: list[str] = []
    for line in block:
        old.pop()
        html = line_html(new.pop())
        left.append(_row(line, "ctx", "old", html, "", is_copy=True))
        right.append(_row(line, "ctx", "new", html, _note(line, "new", notes) + _note(line, "old", notes)))
    return _segment("ctx", "".join(left), "".join(right))


def _change(block: list[Line], old: list[tuple[Span, ...]], new: list[tuple[Span, ...]], notes: Notes) -> str:
    removed = [line for line in block if line.kind == "-"]
    added = [line for line in block if line.kind == "+"]
    marks = _marks(removed, added)
    left = [
        _row(line, "del", "old", line_html(old.pop(), marks[0].get(i, ())), _note(line, "old", notes))
        for i, line in enumerate(removed)
    ]
    right = [
        _row(line, "add", "new", line_html(new.pop(), marks[1].get(i, ())), _note(line, "new", notes))
        for i, line in enumerate(added)
    ]
    return _segment("chg", "".join(left), "".join(right))


def _segment(kind: str, left: str, right: str) -> str:
    # The left side of context is there for the eye in the split layout; readers and keys have the right one.
    hidden = ' aria-hidden="true"' if kind == "ctx" else ""
    return f'<div class="seg {kind}"><div class="side old"{hidden}>{left}</div><div class="side new">{right}</div></div>'


def _marks(
    removed: list[Line], added: list[Line]
) -> tuple[dict[int, tuple[Range, ...]], dict[int, tuple[Range, ...]]]:
    if len(removed) != len(added) or len(removed) > MARK_LINES:
        return {}, {}
    pairs = [changed_ranges(before.text, after.text) for before, after in zip(removed, added, strict=True)]
    return {i: left for i, (left, _) in enumerate(pairs) if left}, {
        i: right for i, (_, right) in enumerate(pairs) if right
    }


_SIGNS = {"ctx": " ", "del": "−", "add": "+"}
_WORDS = {"ctx": "", "del": "removed: ", "add": "added: "}


def _row(line: Line, kind: str, side: str, html: str, note: str, *, is_copy: bool = False) -> str:
    """Return one line; `is_copy`: the second showing of a context line beside the first, which nobody needs to reach."""
    number = line.old_no if side == "old" else line.new_no
    ending = (
        '<span class="no-newline" title="No newline at the end of the file">⊘</span>'
        if line.no_newline
        else ""
    )
    counts = (
        f'<span class="no-old">{"" if line.old_no is None else line.old_no}</span>'
        f'<span class="no-new">{"" if line.new_no is None else line.new_no}</span>'
    )
    numbers = (
        f'<span class="no">{counts}</span>'
        if is_copy
        else f'<button type="button" class="no" tabindex="-1" data-comment-line="{number}" data-side="{side}" '
        f'aria-label="Comment on {side} line {number}">{counts}</button>'
    )
    spoken = f'<span class="visually-hidden">{_WORDS[kind]}</span>' if kind != "ctx" else ""
    code = f'<code dir="ltr">{spoken}{html or " "}{ending}</code>'
    return f'<div class="ln {kind}">{numbers}<span class="sign" aria-hidden="true">{_SIGNS[kind]}</span>{code}</div>{note}'


def _note(line: Line, side: str, notes: Notes) -> str:
    number = line.old_no if side == "old" else line.new_no
    return notes.get((side, number), "") if number is not None and notes else ""
