"""Carrying hunks over to a base that has moved: by position where nothing near them changed, by a unique
match where their lines moved, and otherwise as a conflict that people see. A hunk keeps its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from workers.changes.diffs import FileDiff, Hunk, Line
from workers.changes.hunks import TreeEntry, split_lines, tree_entries
from workers.changes.objects import BlobReader
from workers.changes.patches import read_ranges
from workers.changes.paths import from_bytes, to_bytes

if TYPE_CHECKING:
    from workers.changes.repository import Repository

Reason = Literal["changed", "deleted", "taken", "already_there"]
_Range = tuple[int, int, int, int]
"""A place where two versions differ: first old line, count, first new line, count; lines from 0."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A hunk that has no place in the new base, and why."""

    key: str
    path: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Reanchored:
    """The files against the new base, without the hunks that are in conflict."""

    files: list[FileDiff]
    conflicts: list[Conflict]


def reanchor(repository: Repository, files: Sequence[FileDiff], old_base: str, new_base: str) -> Reanchored:
    """Return the same change against another base.

    Raises:
        UnknownRevision: a base does not exist.
    """
    old_tree, new_tree = repository.tree_of(old_base), repository.tree_of(new_base)
    if old_tree == new_tree:
        return Reanchored(list(files), [])
    kept: list[FileDiff] = []
    conflicts: list[Conflict] = []
    there = tree_entries(repository, new_tree, files)
    with BlobReader(repository.bare) as blobs:
        for file in files:
            moved, lost = _carry(repository, there, file, blobs)
            conflicts += lost
            if moved.hunks:
                kept.append(moved)
    return Reanchored(kept, conflicts)


def _carry(
    repository: Repository, there: Mapping[bytes, TreeEntry], file: FileDiff, blobs: BlobReader
) -> tuple[FileDiff, list[Conflict]]:
    mode, oid = there.get(to_bytes(file.base_path), (None, None))
    if file.old_oid is None:
        return _carry_added(file, oid)
    target = there.get(to_bytes(file.path), (None, None))[1] if file.old_path is not None else None
    if oid is None or mode is None:
        return _all_lost(file, "deleted")
    if (mode, oid, target) == (file.old_mode, file.old_oid, None):
        return file, []
    texts: dict[str, Hunk] = {}
    if oid == file.old_oid:
        texts = {hunk.key: hunk for hunk in file.hunks if hunk.kind == "text"}
        lost: dict[str, Reason] = {}
    else:
        old, new = split_lines(blobs.read(file.old_oid)), split_lines(blobs.read(oid))
        ranges = read_ranges(repository, file.old_oid, oid)
        texts, lost = _Mover(old, new, ranges).move([hunk for hunk in file.hunks if hunk.kind == "text"])
    hunks: list[Hunk] = []
    for hunk in file.hunks:
        if hunk.kind == "text":
            if hunk.key in texts:
                hunks.append(texts[hunk.key])
        elif reason := _special_conflict(file, hunk, mode, oid, target):
            lost[hunk.key] = reason
        else:
            hunks.append(hunk)
    is_same_mode = file.old_mode == file.new_mode
    moved = replace(
        file,
        hunks=tuple(sorted(hunks, key=lambda each: (each.kind == "text", each.old_first))),
        old_oid=oid,
        old_mode=mode,
        new_mode=mode if is_same_mode else file.new_mode,
        new_oid=file.new_oid if oid == file.old_oid else None,
    )
    return moved, [Conflict(key, file.path, reason) for key, reason in lost.items()]


def _carry_added(file: FileDiff, oid: str | None) -> tuple[FileDiff, list[Conflict]]:
    if oid is None:
        return file, []
    return _all_lost(file, "already_there" if oid == file.new_oid else "taken")


def _all_lost(file: FileDiff, reason: Reason) -> tuple[FileDiff, list[Conflict]]:
    return replace(file, hunks=()), [Conflict(hunk.key, file.path, reason) for hunk in file.hunks]


def _special_conflict(file: FileDiff, hunk: Hunk, mode: str, oid: str, target: str | None) -> Reason | None:
    if hunk.kind == "rename":
        return "taken" if target is not None else None
    if hunk.kind == "mode":
        if mode == file.old_mode:
            return None
        return "already_there" if mode == file.new_mode else "changed"
    if oid == file.old_oid:
        return None
    return "already_there" if oid == file.new_oid else "changed"


class _Mover:
    """Finds the new places of one file's text hunks."""

    def __init__(self, old: list[bytes], new: list[bytes], ranges: Sequence[_Range]) -> None:
        self.old, self.new, self.ranges = old, new, ranges

    def move(self, hunks: Sequence[Hunk]) -> tuple[dict[str, Hunk], dict[str, Reason]]:
        """Return the moved hunks by key, and the reasons why others have no place."""
        places: list[tuple[int, Hunk]] = []
        lost: dict[str, Reason] = {}
        for hunk in hunks:
            core = _core(hunk)
            start = None
            if not self._is_beside_an_end(core):
                start = self._by_position(core)
                if start is None:
                    start = self._by_match(hunk, core)
            if start is None:
                lost[hunk.key] = self._reason(hunk)
            else:
                places.append((start, hunk))
        places.sort(key=lambda place: place[0])
        moved: dict[str, Hunk] = {}
        end = delta = 0
        for index, (start, hunk) in enumerate(places):
            first, last = _core(hunk)
            if start < end:
                lost[hunk.key] = "changed"
                continue
            following = places[index + 1][0] if index + 1 < len(places) else len(self.new)
            fresh = self._rebuild(hunk, start, end, following, delta)
            moved[hunk.key] = fresh
            end = start + (last - first)
            delta += fresh.new_lines - fresh.old_lines
        return moved, lost

    def _is_beside_an_end(self, core: tuple[int, int]) -> bool:
        """Return whether hunk and base both add at the same end of the file: the order is unclear."""
        first, last = core
        return any(
            count == 0 and (at == first == 0 or at == last == len(self.old))
            for at, count, _, _ in self.ranges
        )

    def _by_position(self, core: tuple[int, int]) -> int | None:
        """Return the new first line when no edit of the base touches the hunk or a line beside it."""
        low, high = max(0, core[0] - 1), min(len(self.old), core[1] + 1)
        shift = 0
        for at, count, _, new_count in self.ranges:
            end = at + count
            if (at < high and end > low) if count else (low < at < high):
                return None
            if end <= low:
                shift += new_count - count
        return core[0] + shift

    def _by_match(self, hunk: Hunk, core: tuple[int, int]) -> int | None:
        """Return the only place in the new base where all old lines of the hunk stand together."""
        block = [line.content for line in hunk.lines if line.kind != "+"]
        if len(block) < 2 or not any(line.strip() for line in block):
            return None
        found = self._find(block)
        return found[0] + core[0] - hunk.old_first if len(found) == 1 else None

    def _find(self, block: Sequence[bytes]) -> list[int]:
        size = len(block)
        return [
            at
            for at in range(len(self.new) - size + 1)
            if self.new[at] == block[0] and self.new[at : at + size] == block
        ]

    def _reason(self, hunk: Hunk) -> Reason:
        block = [line.content for line in hunk.lines if line.kind != "-"]
        return "already_there" if block and self._find(block) else "changed"

    def _rebuild(self, hunk: Hunk, start: int, floor: int, ceiling: int, delta: int) -> Hunk:
        """Return the hunk at its new place, with the context that stands there now."""
        first, last = _core(hunk)
        lines = list(hunk.lines)
        lead = next((index for index, line in enumerate(lines) if line.kind != " "), len(lines))
        tail = next((index for index, line in enumerate(reversed(lines)) if line.kind != " "), 0)
        end = start + (last - first)
        before = self.new[max(floor, start - lead) : start]
        after = self.new[end : min(ceiling, end + tail)]
        core = lines[lead : len(lines) - tail]
        rough = [*map(_context, before), *core, *map(_context, after)]
        old_count = sum(line.kind != "+" for line in rough)
        new_count = sum(line.kind != "-" for line in rough)
        old_first = start - len(before)
        new_first = old_first + delta
        return replace(
            hunk,
            old_start=old_first + 1 if old_count else old_first,
            old_lines=old_count,
            new_start=new_first + 1 if new_count else new_first,
            new_lines=new_count,
            lines=_number(rough, old_first + 1, new_first + 1),
        )


def _core(hunk: Hunk) -> tuple[int, int]:
    """Return the old lines from the first change of a hunk to the end of its last, without outer context."""
    first = at = hunk.old_first
    start: int | None = None
    end = first
    for line in hunk.lines:
        if line.kind != " " and start is None:
            start = at
        if line.kind != "+":
            at += 1
        if line.kind != " ":
            end = at
    return (first if start is None else start), end


def _context(data: bytes) -> Line:
    return Line(" ", None, None, from_bytes(data.removesuffix(b"\n")), no_newline=not data.endswith(b"\n"))


def _number(lines: Sequence[Line], old_no: int, new_no: int) -> tuple[Line, ...]:
    out = []
    for line in lines:
        is_old, is_new = line.kind != "+", line.kind != "-"
        out.append(replace(line, old_no=old_no if is_old else None, new_no=new_no if is_new else None))
        old_no, new_no = old_no + is_old, new_no + is_new
    return tuple(out)
