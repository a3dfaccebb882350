"""Building exactly the tree that a person accepted: any hunks, whole, split or edited.

Hunks are spliced into the base's bytes at the lines they name, after checking that these lines are there byte
for byte. Nothing is searched for and nothing is fuzzy, so all hunks together give the proposed tree itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workers.changes.diffs import FileDiff, Hunk, Line
from workers.changes.errors import GitFailed, HunkMismatch
from workers.changes.git import Git
from workers.changes.hunk_keys import hunk_key
from workers.changes.objects import BlobReader, ObjectWriter, writing_objects
from workers.changes.paths import to_bytes, to_portable
from workers.changes.revisions import ZERO
from workers.changes.staging import IndexEntry, set_entries, temporary_index, tree_changes

if TYPE_CHECKING:
    from workers.changes.repository import Repository

TreeEntry = tuple[str, str]
"""Mode and object id."""
_PATHS_AT_ONCE = 200  # 200 paths of 4,000 bytes stay below what one command line may hold

__all__ = ["Choice", "build_tree", "hunk_key", "split_hunk"]


@dataclass(frozen=True, slots=True)
class Choice:
    """An accepted hunk. With `edited_new_lines` its new side (context and added lines, without newlines)
    reads so.

    Where every line of the hunk ends in a carriage return and no edited line does, they are put back.
    """

    key: str
    edited_new_lines: list[str] | None = None


def split_hunk(hunk: Hunk, after_line_indexes: Sequence[int]) -> list[Hunk]:
    """Return the parts of a hunk, cut after the given lines (indexes into `hunk.lines`); parts without a
    change are joined to the part before them.

    Raises:
        HunkMismatch: the hunk has no lines to split, or an index is outside.
    """
    cuts = sorted(set(after_line_indexes))
    if hunk.kind != "text" or any(not 0 <= cut < len(hunk.lines) for cut in cuts):
        raise HunkMismatch("This hunk cannot be split there.", key=hunk.key)
    groups: list[list[Line]] = []
    start = 0
    for end in [*(cut + 1 for cut in cuts), len(hunk.lines)]:
        piece = list(hunk.lines[start:end])
        start = end
        has_change = any(line.kind != " " for line in piece)
        if not piece:
            continue
        if groups and not (has_change and any(line.kind != " " for line in groups[-1])):
            groups[-1] += piece
        else:
            groups.append(piece)
    if len(groups) == 1:
        return [hunk]
    return _number_parts(hunk, groups)


def _number_parts(hunk: Hunk, groups: list[list[Line]]) -> list[Hunk]:
    parts = []
    old_first, new_first = hunk.old_first, hunk.new_first
    for number, lines in enumerate(groups):
        old_count = sum(line.kind != "+" for line in lines)
        new_count = sum(line.kind != "-" for line in lines)
        key = hunk_key(
            hunk.path,
            [line.full_text for line in lines if line.kind == "-"],
            [line.full_text for line in lines if line.kind == "+"],
            hunk.ordinal,
            part=f"{hunk.key}/{number}",
        )
        part = replace(
            hunk,
            key=key,
            old_start=old_first + 1 if old_count else old_first,
            old_lines=old_count,
            new_start=new_first + 1 if new_count else new_first,
            new_lines=new_count,
            lines=tuple(lines),
        )
        parts.append(part)
        old_first, new_first = old_first + old_count, new_first + new_count
    return parts


def build_tree(
    repository: Repository, base: str, files: Sequence[FileDiff], accepted: Sequence[Choice]
) -> str:
    """Return the tree of `base` with exactly the accepted hunks.

    Raises:
        HunkMismatch: a key is unknown or twice, a hunk does not fit the base, or these hunks cannot stand
        together.
    """
    choices = {choice.key: choice for choice in accepted}
    known = {hunk.key for file in files for hunk in file.hunks}
    if len(choices) != len(accepted) or not choices.keys() <= known:
        raise HunkMismatch("A hunk is unknown or was accepted twice.", keys=sorted(choices.keys() - known))
    tree = repository.tree_of(base)
    touched = [file for file in files if any(hunk.key in choices for hunk in file.hunks)]
    if not touched:
        return tree
    there = tree_entries(repository, tree, touched)
    with BlobReader(repository.bare) as blobs, writing_objects(repository.git_dir) as writer:
        entries = []
        for file in touched:
            check_base(there, file)
            entries += _file_entries(file, choices, blobs, writer)
    with temporary_index(repository.root) as index:
        git = Git(repository.git_dir, index=index)
        git.run("read-tree", tree)
        try:
            set_entries(git, entries)
            built = git.text("write-tree")
        except GitFailed as error:
            raise HunkMismatch("These hunks cannot stand together.", detail=str(error)) from error
    ours = {path for _, _, path in entries}
    if any(change.path not in ours for change in tree_changes(repository.bare, tree, built)):
        raise HunkMismatch("These hunks cannot stand together: a file is where another needs a folder.")
    return built


def _file_entries(
    file: FileDiff,
    choices: dict[str, Choice],
    blobs: BlobReader,
    writer: ObjectWriter,
) -> list[IndexEntry]:
    """Return the index entries of one file with its accepted hunks."""
    chosen = {hunk.kind: hunk for hunk in file.hunks if hunk.key in choices}
    base_path, new_path = to_bytes(file.base_path), to_bytes(file.path)
    if "whole" in chosen and file.new_oid is None:
        return [("0", ZERO, base_path)]
    oid = file.old_oid
    if "whole" in chosen:
        oid = file.new_oid
    elif "text" in chosen:
        base = [] if file.old_oid is None else split_lines(blobs.read(file.old_oid))
        data = splice(base, [hunk for hunk in file.hunks if hunk.key in choices], choices)
        if file.status == "deleted" and not data:
            return [("0", ZERO, base_path)]
        oid = writer.write(data)
    takes_mode = "mode" in chosen or file.old_mode is None or ("whole" in chosen and _is_type_change(file))
    mode = file.new_mode if takes_mode else file.old_mode
    if oid is None or mode is None:
        raise HunkMismatch("This hunk has nothing to stand on.", path=to_portable(file.path))
    if file.old_path is None:
        return [(mode, oid, new_path)]
    if "rename" in chosen:
        return [("0", ZERO, base_path), (mode, oid, new_path)]
    return [(mode, oid, base_path)]


def _is_type_change(file: FileDiff) -> bool:
    return (file.old_mode or "")[:3] != (file.new_mode or "")[:3]


def check_base(entries: Mapping[bytes, TreeEntry], file: FileDiff) -> None:
    """Refuse when the file in the tree is not the one that the hunks were made from.

    Raises:
        HunkMismatch: it is another; `reanchor` first.
    """
    paths: dict[bytes, TreeEntry | None] = {to_bytes(file.base_path): None}
    if file.old_mode is not None and file.old_oid is not None:
        paths[to_bytes(file.base_path)] = (file.old_mode, file.old_oid)
    if file.old_path is not None:
        paths[to_bytes(file.path)] = None
    for path, expected in paths.items():
        if entries.get(path) != expected:
            raise HunkMismatch("The base has another version of this file.", path=to_portable(file.path))


def tree_entries(repository: Repository, tree: str, files: Sequence[FileDiff]) -> dict[bytes, TreeEntry]:
    """Return mode and object of every path that the files name; absent ones and folders are left out."""
    paths = list(dict.fromkeys(to_bytes(path) for file in files for path in (file.base_path, file.path)))
    found: dict[bytes, TreeEntry] = {}
    for start in range(0, len(paths), _PATHS_AT_ONCE):
        asked = paths[start : start + _PATHS_AT_ONCE]
        out = repository.bare.run("ls-tree", "-z", "--full-tree", tree, "--", *asked)
        for line in out.split(b"\0"):
            head, _, path = line.partition(b"\t")
            fields = head.decode().split()
            if fields and fields[1] != "tree":
                found[path] = (fields[0], fields[2])
    return found


def split_lines(data: bytes) -> list[bytes]:
    """Return lines with their newlines; only a newline ends a line."""
    lines = data.split(b"\n")
    return [*(line + b"\n" for line in lines[:-1]), *([lines[-1]] if lines[-1] else [])]


def splice(base: Sequence[bytes], hunks: Sequence[Hunk], choices: dict[str, Choice]) -> bytes:
    """Return the base with the text hunks among `hunks` in their places."""
    out: list[bytes] = []
    at = 0
    for hunk in sorted(
        (each for each in hunks if each.kind == "text"), key=lambda each: (each.old_first, each.old_lines)
    ):
        old = [line.content for line in hunk.lines if line.kind != "+"]
        first = hunk.old_first
        if first < at or list(base[first : first + len(old)]) != old:
            raise HunkMismatch("A hunk does not fit the file.", path=to_portable(hunk.path), key=hunk.key)
        out += base[at:first]
        out += _new_side(hunk, choices[hunk.key])
        at = first + len(old)
    out += base[at:]
    return _join(out)


def _new_side(hunk: Hunk, choice: Choice) -> list[bytes]:
    proposed = [line.content for line in hunk.lines if line.kind != "-"]
    if choice.edited_new_lines is None:
        return proposed
    edited = [to_bytes(text) for text in choice.edited_new_lines]
    sides = [line for line in hunk.lines if not line.no_newline]
    had_returns = bool(sides) and all(line.text.endswith("\r") for line in sides)
    if had_returns and not any(text.endswith(b"\r") for text in edited):
        edited = [text + b"\r" for text in edited]
    lines = [text + b"\n" for text in edited]
    if lines and any(line.no_newline for line in hunk.lines if line.kind != "-"):
        lines[-1] = edited[-1].removesuffix(b"\r") if had_returns else edited[-1]
    return lines


def _join(lines: Sequence[bytes]) -> bytes:
    """Join lines; one without newline that is no longer last (its hunk was accepted, a later one not) gets
    one."""
    return b"".join(
        line if line.endswith(b"\n") or index == len(lines) - 1 else line + b"\n"
        for index, line in enumerate(lines)
    )
