"""The lines that stand for a hunk on the page: git's, or, where somebody edited, the edit as a diff of its own."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from webapp.reviews.characters import visible_text
from webapp.reviews.resolved import HunkState
from workers.changes.diffs import FileDiff, Hunk, Line

COMPARED_LINES = 1_000
_MODES = {
    "100644": "a file",
    "100755": "an executable file",
    "120000": "a link",
    "160000": "another repository",
}


def old_side(hunk: Hunk) -> list[str]:
    """Return the lines that the hunk replaces, context included."""
    return [line.text for line in hunk.lines if line.kind != "+"]


def new_side(state: HunkState) -> list[str]:
    """Return the lines that the hunk leaves, context included, as edited where somebody did."""
    edited = state.choice.edited_new_lines
    if edited is not None:
        return list(edited)
    return [line.text for line in state.hunk.lines if line.kind != "-"]


def _has_returns(lines: Sequence[str]) -> bool:
    """Return whether these are lines of a file with CR LF."""
    return bool(lines) and all(line.endswith("\r") for line in lines)


def lines_to_edit(state: HunkState) -> list[str]:
    """Return the new side for an editor: without the carriage returns that landing puts back."""
    lines = new_side(state)
    if not _has_returns([line.text for line in state.hunk.lines if not line.no_newline]):
        return lines
    return [line.removesuffix("\r") for line in lines]


def shown_lines(state: HunkState) -> Sequence[Line]:
    """Return the lines to show."""
    edited = state.choice.edited_new_lines
    if edited is None:
        return state.hunk.lines
    return edited_lines(state.hunk, edited)


def edited_lines(hunk: Hunk, new: Sequence[str]) -> list[Line]:
    """Return the hunk as a diff of its old side and these new lines."""
    old = old_side(hunk)
    if _has_returns([line.text for line in hunk.lines if not line.no_newline]) and not any(
        line.endswith("\r") for line in new
    ):
        new = [f"{line}\r" for line in new]
    old_no, new_no = hunk.old_start or 1, hunk.new_start or 1
    out: list[Line] = []
    for tag, i1, i2, j1, j2 in _opcodes(old, list(new)):
        if tag == "equal":
            out += [
                Line(" ", old_no + i, new_no + j, old[i])
                for i, j in zip(range(i1, i2), range(j1, j2), strict=True)
            ]
            continue
        out += [Line("-", old_no + i, None, old[i]) for i in range(i1, i2)]
        out += [Line("+", None, new_no + j, new[j]) for j in range(j1, j2)]
    return out


def _opcodes(old: list[str], new: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    """Return what differs; of two long sides, that the one replaces the other: looking closer would take minutes."""
    if len(old) * len(new) > COMPARED_LINES**2:
        return [("replace", 0, len(old), 0, len(new))]
    return difflib.SequenceMatcher(None, old, new).get_opcodes()


def summary_of(file: FileDiff, hunk: Hunk) -> str:
    """Return in words what a hunk without lines does; empty for one with lines."""
    if hunk.kind == "text":
        return ""
    if hunk.kind == "rename":
        return f"Renamed from {visible_text(file.old_path or '')}"
    if hunk.kind == "mode":
        return f"{_mode(file.old_mode)} becomes {_mode(file.new_mode)}"
    what = "Too large to show" if file.is_too_large else "Binary" if file.is_binary else "Without text"
    verb = {"added": "added", "deleted": "deleted"}.get(file.status, "replaced as a whole")
    kind = _mode(file.new_mode or file.old_mode)
    return f"{what}: {kind}, {verb}"


def _mode(mode: str | None) -> str:
    return _MODES.get(mode or "", "nothing")
