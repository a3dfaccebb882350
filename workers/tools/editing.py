"""Tools that change files: replace an exact piece of text, write a whole file, delete one."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from typing import Any

from workers.changes.errors import ChangeError
from workers.changes.paths import to_bytes
from workers.tools.base import ToolContext, ToolResult, object_schema
from workers.tools.definitions import mean_the_same, merge_definitions
from workers.tools.errors import EditRefused, ToolError
from workers.tools.reading import normalise_path, read_text
from workers.tools.text import bound, clean
from workers.tools.writing import delete_file, write_file

MAX_WRITE_BYTES = 2 * 1024 * 1024
COMPARED_CHARS = 1_000
"""Longest line that is looked at as the nearest one: the time to compare two grows with the product of their lengths."""
_CONTEXT_LINES = 3


class EditFile:
    name = "edit_file"
    description = (
        "Replace old_text by new_text in a file. old_text must stand there exactly once, "
        "whitespace included, without line numbers."
    )
    parameters = object_schema(
        ("path", "old_text", "new_text"),
        path={"type": "string"},
        old_text={"type": "string"},
        new_text={"type": "string"},
    )
    is_effect = True
    step_kind = "tool_call"

    def title(self, arguments: Mapping[str, Any]) -> str:
        return f"Edit {arguments.get('path', '')}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        path = normalise_path(arguments["path"])
        return await asyncio.to_thread(_edit, path, arguments["old_text"], arguments["new_text"], context)


def _edit(path: str, old: str, new: str, context: ToolContext) -> ToolResult:
    before = read_text(context.files, path)
    after, line = replace_once(before, old, new)
    _write(context, path, after)
    shown = _around(after, line, new.count("\n") + 1)
    return ToolResult(
        bound(f"Edited {path}. It now reads:\n{shown}{parse_warning(path, after)}", context.output_chars),
        facts={"path": path, "line": line},
    )


def replace_once(text: str, old: str, new: str) -> tuple[str, int]:
    """Return `text` with the only place of `old` replaced by `new`, and the line of that place.

    Lines that differ from `old` only in trailing whitespace or CR count as equal when nothing matches
    exactly.

    Raises:
        EditRefused: `old` is empty, is nowhere, or is in several places; the text shows the nearest lines.
    """
    if not old:
        raise EditRefused("old_text is empty. Use write_file for a new file.")
    if old == new:
        raise EditRefused("old_text and new_text are the same.")
    if "\r\n" in text and "\r" not in old:
        old, new = old.replace("\n", "\r\n"), new.replace("\r\n", "\n").replace("\n", "\r\n")
    places = text.count(old)
    if places == 1:
        at = text.index(old)
        return text[:at] + new + text[at + len(old) :], text.count("\n", 0, at) + 1
    if places > 1:
        raise EditRefused(
            f"old_text stands in {places} places (lines {_lines_of(text, old)}); add lines around it."
        )
    return _replace_loosely(text, old, new)


def _replace_loosely(text: str, old: str, new: str) -> tuple[str, int]:
    lines = text.splitlines(keepends=True)
    wanted = [line.rstrip() for line in old.splitlines()]
    bare = [line.rstrip() for line in lines]
    found = [at for at in range(len(lines) - len(wanted) + 1) if bare[at : at + len(wanted)] == wanted]
    if len(found) != 1 or not any(wanted):
        raise EditRefused("old_text is not in the file exactly like this." + _nearest(bare, wanted))
    start, end = found[0], found[0] + len(wanted)
    last = lines[end - 1]
    ending = last[len(last.rstrip("\r\n")) :]
    middle = new.rstrip("\r\n") + ending if new else ""
    return "".join(lines[:start]) + middle + "".join(lines[end:]), start + 1


def _lines_of(text: str, old: str) -> str:
    numbers: list[int] = []
    at = text.find(old)
    while at >= 0 and len(numbers) < 8:
        numbers.append(text.count("\n", 0, at) + 1)
        at = text.find(old, at + 1)
    return ", ".join(map(str, numbers))


def _nearest(lines: list[str], wanted: list[str]) -> str:
    """The piece of the file most like what was asked for, numbered; looks for its most telling line first."""
    anchor = max(wanted, key=lambda line: len(line.strip()), default="").strip()
    if not anchor or not lines:
        return " Read the file first."
    known = {line.strip() for line in lines[:20_000] if len(line) <= COMPARED_CHARS}
    candidates = difflib.get_close_matches(anchor[:COMPARED_CHARS], known, n=1, cutoff=0.5)
    if not candidates:
        return " No line is like it; read the file first."
    at = next(index for index, line in enumerate(lines) if line.strip() == candidates[0])
    offset = next(index for index, line in enumerate(wanted) if line.strip() == anchor)
    start = max(0, at - offset - 1)
    piece = lines[start : start + min(len(wanted) + 2, 30)]
    return " The nearest lines are:\n" + "\n".join(
        f"{start + index + 1:6}\t{clean(line)}" for index, line in enumerate(piece)
    )


def _around(text: str, line: int, height: int) -> str:
    lines = text.splitlines()
    start = max(0, line - 1 - _CONTEXT_LINES)
    end = min(len(lines), line - 1 + min(height, 40) + _CONTEXT_LINES)
    return "\n".join(f"{index + 1:6}\t{clean(lines[index])}" for index in range(start, end))


class EditCode:
    name = "edit_code"
    description = (
        "Put whole Python functions or classes into a file: each replaces the one of the same name, or is added; "
        "the rest stays."
    )
    parameters = object_schema(("path", "code"), path={"type": "string"}, code={"type": "string"})
    is_effect = True
    step_kind = "tool_call"

    def title(self, arguments: Mapping[str, Any]) -> str:
        return f"Edit {arguments.get('path', '')}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        path = normalise_path(arguments["path"])
        return await asyncio.to_thread(_edit_code, path, arguments["code"], context)


def _edit_code(path: str, code: str, context: ToolContext) -> ToolResult:
    if not path.endswith(".py"):
        raise ToolError("edit_code knows only Python; use edit_file or write_file.")
    before = read_text(context.files, path)
    merged = merge_definitions(before, code)
    if not merged.said:
        return ToolResult(f"{path} has this code already.", facts={"path": path, "is_same": True})
    _write(context, path, merged.text)
    is_same = mean_the_same(before, merged.text)
    note = ", with no difference but in its form" if is_same else ""
    return ToolResult(f"Edited {path}: {merged.said}{note}.", facts={"path": path, "is_same": is_same})


class WriteFile:
    name = "write_file"
    description = "Write a whole file: a new one, or a small one that changes entirely."
    parameters = object_schema(("path", "content"), path={"type": "string"}, content={"type": "string"})
    is_effect = True
    step_kind = "tool_call"

    def title(self, arguments: Mapping[str, Any]) -> str:
        return f"Write {arguments.get('path', '')}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        path, content = normalise_path(arguments["path"]), arguments["content"]
        is_new = await asyncio.to_thread(_write, context, path, content)
        verb = "Made" if is_new else "Replaced"
        text = f"{verb} {path}, {len(content.splitlines())} lines.{parse_warning(path, content)}"
        return ToolResult(text, facts={"path": path, "is_new": is_new})


class DeleteFile:
    name = "delete_file"
    description = "Delete a file."
    parameters = object_schema(("path",), path={"type": "string"})
    is_effect = True
    step_kind = "tool_call"

    def title(self, arguments: Mapping[str, Any]) -> str:
        return f"Delete {arguments.get('path', '')}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        path = normalise_path(arguments["path"])
        try:
            await asyncio.to_thread(delete_file, context.files_dir, path)
        except ChangeError as error:
            raise ToolError(f"{path!r} cannot be deleted: {error}", reason=error.code) from error
        return ToolResult(f"Deleted {path}.", facts={"path": path})


def _write(context: ToolContext, path: str, content: str) -> bool:
    try:
        data = to_bytes(content)
    except UnicodeEncodeError:
        raise ToolError("The content holds characters that are no valid text.") from None
    if len(data) > MAX_WRITE_BYTES:
        raise ToolError(f"The content is {len(data)} bytes; the limit is {MAX_WRITE_BYTES}.")
    try:
        return write_file(context.files_dir, path, data)
    except ChangeError as error:
        raise ToolError(f"{path!r} cannot be written: {error}", reason=error.code) from error


def parse_warning(path: str, content: str) -> str:
    """Return a warning when a Python file no longer parses: said at once, it saves the model a test run."""
    if not path.endswith(".py"):
        return ""
    from workers.codehealth.metrics import audit_source  # loads the Rust core

    errors = audit_source(to_bytes(content), path=path).errors
    if not errors:
        return ""
    return f"\nWarning: the file does not parse any more: line {errors[0].line}: {errors[0].message}"
