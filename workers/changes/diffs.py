"""A change set as files and hunks: git's own hunks, parsed without losing a byte, each with an identity.

A hunk's key does not depend on line numbers, so it survives a rebase. A change without text (binary, mode,
rename, link, empty file) is a hunk without lines, so that a person can accept or reject it like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from blake3 import blake3

from workers.changes.paths import from_portable, to_bytes, to_portable

if TYPE_CHECKING:
    from workers.changes.repository import Repository

LineKind = Literal[" ", "+", "-"]
HunkKind = Literal["text", "whole", "mode", "rename"]
Status = Literal["added", "modified", "deleted", "renamed", "mode"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a hunk. `text` is without its final newline and keeps a carriage return."""

    kind: LineKind
    old_no: int | None
    new_no: int | None
    text: str
    no_newline: bool = False
    """The file ends here without a newline."""

    @property
    def content(self) -> bytes:
        """The line as it stands in the file."""
        return to_bytes(self.text) + (b"" if self.no_newline else b"\n")

    @property
    def full_text(self) -> str:
        return self.text if self.no_newline else self.text + "\n"


@dataclass(frozen=True, slots=True)
class Hunk:
    """One piece of a change. `kind` other than "text" has no lines: the whole file, its mode, or its name."""

    key: str
    path: str
    ordinal: int
    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    header: str
    lines: tuple[Line, ...]
    kind: HunkKind = "text"

    @property
    def old_first(self) -> int:
        """Index of the first old line that the hunk covers, from 0; for an empty range, where it inserts."""
        return self.old_start - 1 if self.old_lines else self.old_start

    @property
    def new_first(self) -> int:
        """The same among the new lines."""
        return self.new_start - 1 if self.new_lines else self.new_start

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON and any database."""
        out = asdict(self)
        out["path"], out["header"] = to_portable(self.path), to_portable(self.header)
        for line in out["lines"]:
            line["text"] = to_portable(line["text"])
        out["lines"] = list(out["lines"])
        return out

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Hunk:
        """Return what `to_dict` was called on."""
        lines = tuple(Line(**{**line, "text": from_portable(line["text"])}) for line in raw["lines"])
        path, header = from_portable(raw["path"]), from_portable(raw["header"])
        return cls(**{**raw, "path": path, "header": header, "lines": lines})


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file of a change set; modes are git's ("100644", "100755", "120000" link, "160000" other
    repository)."""

    path: str
    old_path: str | None
    status: Status
    old_mode: str | None
    new_mode: str | None
    is_binary: bool
    hunks: tuple[Hunk, ...]
    added: int
    deleted: int
    old_oid: str | None = None
    new_oid: str | None = None
    is_too_large: bool = False
    """Not read as text because of its size; shown as binary."""

    @property
    def base_path(self) -> str:
        """The path in the base."""
        return self.old_path or self.path

    def with_hunks(self, hunks: Sequence[Hunk]) -> FileDiff:
        return replace(self, hunks=tuple(hunks))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON and any database."""
        out = asdict(self)
        out["path"] = to_portable(self.path)
        out["old_path"] = None if self.old_path is None else to_portable(self.old_path)
        out["hunks"] = [hunk.to_dict() for hunk in self.hunks]
        return out

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> FileDiff:
        """Return what `to_dict` was called on."""
        old_path = None if raw["old_path"] is None else from_portable(raw["old_path"])
        hunks = tuple(Hunk.from_dict(hunk) for hunk in raw["hunks"])
        return cls(**{**raw, "path": from_portable(raw["path"]), "old_path": old_path, "hunks": hunks})


def diff(repository: Repository, base: str, head: str, *, context_lines: int = 3) -> list[FileDiff]:
    """Return the change from one commit or tree to another, a file each, in order of path.

    Raises:
        UnknownRevision: one of them does not exist.
        GitOutputTooLarge: the diff as text is over 64 MiB.
        DiffUnreadable: git's answer has an unknown form.
    """
    from workers.changes.patches import read_diff

    return read_diff(repository, base, head, context_lines=context_lines)


def diff_hash(base: str, files: Sequence[FileDiff]) -> str:
    """Return what an approval is bound to: the base commit and all that a person sees of every hunk."""
    digest = blake3()

    def add(*values: object) -> None:
        for value in values:
            data = b"\0none" if value is None else to_bytes(str(value))
            digest.update(b"%d:" % len(data))
            digest.update(data)

    add("pyagent change set 1", base, len(files))
    for file in files:
        add(file.path, file.old_path, file.status, file.old_mode, file.new_mode, file.is_binary)
        add(file.old_oid, file.new_oid, len(file.hunks))
        for hunk in file.hunks:
            add(hunk.key, hunk.kind, hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines)
            add(len(hunk.lines))
            for line in hunk.lines:
                add(line.kind, line.full_text)
    return digest.hexdigest()
