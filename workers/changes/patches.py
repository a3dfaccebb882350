"""Reading `git diff-tree --patch-with-raw -z`: first which files, then their hunks.

The list in front is ended by NUL and names every path exactly, so each section's head is known before it is
read and no name, however strange, can be taken for something else. Hunks are taken by their counts, so no
content can either.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workers.changes.diffs import FileDiff, Hunk, HunkKind, Line, Status
from workers.changes.errors import DiffUnreadable
from workers.changes.hunk_keys import hunk_key
from workers.changes.paths import from_bytes
from workers.changes.revisions import RawChange, parse_raw

if TYPE_CHECKING:
    from workers.changes.repository import Repository

MAX_PATCH_BYTES = 64 << 20
MAX_TEXT_BYTES = 4 << 20  # a file above this is shown as binary, never read as a whole by git or by us
_ABSENT, _GITLINK = "000000", "160000"
_HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$", re.DOTALL)


def read_diff(repository: Repository, base: str, head: str, *, context_lines: int) -> list[FileDiff]:
    """Return the files of a diff; see `diffs.diff`."""
    out = repository.bare.run(
        "diff-tree",
        "-r",
        "-z",
        "--patch-with-raw",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--histogram",
        "--indent-heuristic",
        "--full-index",
        "--find-renames=50%",
        "--no-rename-empty",
        "--submodule=short",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        f"--unified={context_lines}",
        repository.tree_of(base),
        repository.tree_of(head),
        config=(("core.bigFileThreshold", str(MAX_TEXT_BYTES)),),
        max_output_bytes=MAX_PATCH_BYTES,
    )
    changes, rest = parse_raw(out)
    reader = _PatchReader(rest.removeprefix(b"\0"))
    files = [reader.read_file(change) for change in changes]
    large = _large_objects(repository, files)
    return [replace(file, is_too_large=bool({file.old_oid, file.new_oid} & large)) for file in files]


def read_ranges(repository: Repository, old_oid: str, new_oid: str) -> list[tuple[int, int, int, int]]:
    """Return where two contents differ: (first old line, count, first new line, count), lines from 0."""
    out = repository.bare.run(
        "diff",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--histogram",
        "--text",
        "--unified=0",
        old_oid,
        new_oid,
        max_output_bytes=MAX_PATCH_BYTES,
    )
    if not out:
        return []
    hunks = _PatchReader(out).read_section().hunks
    return [(hunk.old_first, hunk.old_lines, hunk.new_first, hunk.new_lines) for hunk in hunks]


def _large_objects(repository: Repository, files: list[FileDiff]) -> set[str | None]:
    """Return which contents were shown as binary only because of their size."""
    oids = {oid for file in files if file.is_binary for oid in (file.old_oid, file.new_oid) if oid}
    if not oids:
        return set()
    asked = "\n".join(sorted(oids)).encode() + b"\n"
    out = repository.bare.run("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked)
    pairs = (line.split() for line in out.decode().splitlines())
    return {oid for oid, size in pairs if size.isdigit() and int(size) > MAX_TEXT_BYTES}


class _PatchReader:
    """Takes section after section from the text of a patch."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read_file(self, change: RawChange) -> FileDiff:
        """Return one file; a change of type (file to link) has two sections."""
        sections = [self.read_section() for _ in range(2 if change.status == "T" else 1)]
        is_binary = any(section.is_binary for section in sections)
        hunks = [hunk for section in sections for hunk in section.hunks]
        path = from_bytes(change.path)
        named = _name_hunks(path, change, hunks, is_binary=is_binary)
        lines = [line for hunk in hunks for line in hunk.lines]
        return FileDiff(
            path=path,
            old_path=from_bytes(change.old_path) if change.status == "R" else None,
            status=_status(change),
            old_mode=None if change.old_mode == _ABSENT else change.old_mode,
            new_mode=None if change.new_mode == _ABSENT else change.new_mode,
            is_binary=is_binary,
            hunks=tuple(named),
            added=sum(line.kind == "+" for line in lines),
            deleted=sum(line.kind == "-" for line in lines),
            old_oid=None if change.old_mode == _ABSENT else change.old_oid,
            new_oid=None if change.new_mode == _ABSENT else change.new_oid,
        )

    def _peek(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        return self.data[self.at : len(self.data) if end < 0 else end]

    def _take(self) -> bytes:
        line = self._peek()
        self.at += len(line) + 1
        return line

    def read_section(self) -> _Section:
        if not self._take().startswith(b"diff --git "):
            raise DiffUnreadable("A section of the diff has no head.")
        section = _Section()
        while self.at < len(self.data) and not (line := self._peek()).startswith(b"diff --git "):
            if line.startswith(b"@@ "):
                section.hunks.append(self._read_hunk())
            else:
                section.is_binary |= line.startswith((b"Binary files ", b"GIT binary patch"))
                self.at += len(line) + 1
        return section

    def _read_hunk(self) -> Hunk:
        found = _HUNK.match(self._take())
        if found is None:
            raise DiffUnreadable("The head of a hunk is not readable.")
        old_start, new_start = int(found[1]), int(found[3])
        old_left = old_lines = 1 if found[2] is None else int(found[2])
        new_left = new_lines = 1 if found[4] is None else int(found[4])
        old_no, new_no = old_start, new_start
        lines: list[Line] = []
        while old_left or new_left or self._peek().startswith(b"\\"):
            raw = self._take()
            kind, text = raw[:1], from_bytes(raw[1:])
            if kind == b" ":
                lines.append(Line(" ", old_no, new_no, text))
            elif kind == b"-":
                lines.append(Line("-", old_no, None, text))
            elif kind == b"+":
                lines.append(Line("+", None, new_no, text))
            elif kind == b"\\" and lines:
                lines[-1] = replace(lines[-1], no_newline=True)
                continue
            else:
                raise DiffUnreadable("A line of a hunk is not readable.")
            if kind != b"+":
                old_no, old_left = old_no + 1, old_left - 1
            if kind != b"-":
                new_no, new_left = new_no + 1, new_left - 1
        if old_left or new_left:
            raise DiffUnreadable("A hunk is longer than it says.")
        return Hunk("", "", 0, old_start, old_lines, new_start, new_lines, from_bytes(found[5]), tuple(lines))


@dataclass(slots=True)
class _Section:
    hunks: list[Hunk] = field(default_factory=list)
    is_binary: bool = False


def _status(change: RawChange) -> Status:
    if change.status in "ADR":
        return {"A": "added", "D": "deleted", "R": "renamed"}[change.status]  # type: ignore[return-value]
    return "mode" if change.old_oid == change.new_oid else "modified"


def _name_hunks(path: str, change: RawChange, hunks: list[Hunk], *, is_binary: bool) -> list[Hunk]:
    """Return the hunks with their keys; what git shows without lines becomes a hunk of its own."""
    named: list[Hunk] = []
    if change.status == "R":
        named.append(_bare_hunk("rename", path, [from_bytes(change.old_path)], [path]))
    is_special = _GITLINK in (change.old_mode, change.new_mode) or change.status == "T"
    if change.status in "MR" and change.old_mode != change.new_mode:
        named.append(_bare_hunk("mode", path, [change.old_mode], [change.new_mode]))
    if is_special or is_binary or (change.status in "AD" and not hunks):
        whole = _bare_hunk(
            "whole", path, [change.old_mode, change.old_oid], [change.new_mode, change.new_oid]
        )
        lines = tuple(line for hunk in hunks for line in hunk.lines)
        return [*named, replace(whole, lines=lines)]
    seen: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = Counter()
    for hunk in hunks:
        old = tuple(line.full_text for line in hunk.lines if line.kind == "-")
        new = tuple(line.full_text for line in hunk.lines if line.kind == "+")
        ordinal = seen[old, new]
        seen[old, new] += 1
        key = hunk_key(path, old, new, ordinal)
        named.append(replace(hunk, key=key, path=path, ordinal=ordinal))
    return named


def _bare_hunk(kind: HunkKind, path: str, old: list[str], new: list[str]) -> Hunk:
    key = hunk_key(path, [kind, *old], [kind, *new], 0)
    return Hunk(key, path, 0, 0, 0, 0, 0, "", (), kind)
