"""Tools that look: list files, read one, search in all. They change nothing."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from typing import Any

from workers.changes.errors import ChangeError, FileMissing
from workers.changes.files import WorkspaceFiles
from workers.changes.paths import to_portable
from workers.tools.base import ToolContext, ToolResult, object_schema
from workers.tools.errors import ToolError
from workers.tools.text import bound, clean

MAX_READ_BYTES = 4 * 1024 * 1024
MAX_LISTED = 400
MAX_MATCHES = 60
_LINE_CHARS = 500


def normalise_path(path: str) -> str:
    """Return `path` as the files' door wants it: models write `./a`, `/workspace/a` and `a/` for the same
    place."""
    path = path.strip().removeprefix("/workspace").strip("/")
    while path.startswith("./"):
        path = path[2:]
    return "" if path == "." else path


def read_text(files: WorkspaceFiles, path: str) -> str:
    """Return a file as text that loses no byte.

    Raises:
        ToolError: it is absent, binary, too large or outside the run's files.
    """
    try:
        data = files.read(path, max_bytes=MAX_READ_BYTES).data
    except FileMissing:
        raise ToolError(f"There is no file {path!r}.{suggest(files, path)}") from None
    except ChangeError as error:
        raise ToolError(f"{path!r} cannot be read: {error}", reason=error.code) from error
    if _is_binary(data):
        raise ToolError(f"{path!r} is a binary file of {len(data)} bytes.")
    return data.decode("utf-8", "surrogateescape")


def find_text(files: WorkspaceFiles, path: str) -> str | None:
    """Return a file as text that loses no byte; None where `read_text` would refuse, without looking for other names."""
    try:
        data = files.read(path, max_bytes=MAX_READ_BYTES).data
    except ChangeError:
        return None
    return None if _is_binary(data) else data.decode("utf-8", "surrogateescape")


def _is_binary(data: bytes) -> bool:
    return b"\0" in data[:8192]


def suggest(files: WorkspaceFiles, path: str) -> str:
    """Return a hint that names files that may have been meant, or nothing."""
    paths = [entry.path for entry in files.walk(max_depth=12) if entry.kind == "file"]
    name = path.rpartition("/")[2]
    same = [found for found in paths if found.rpartition("/")[2] == name]
    near = same or difflib.get_close_matches(path, paths, n=3, cutoff=0.6)
    return f" Did you mean {', '.join(near[:5])}?" if near else ""


class ListFiles:
    name = "list_files"
    description = "List the files below a folder (the whole project by default)."
    parameters = object_schema(
        path={"type": "string", "description": "Folder, relative to the project; empty for all"},
    )
    is_effect = False
    step_kind = "tool_call"

    def title(self, arguments: Mapping[str, Any]) -> str:
        return f"List files in {arguments.get('path') or 'the project'}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        path = normalise_path(arguments.get("path", ""))
        try:
            text, count = await asyncio.to_thread(_listing, context.files, path)
        except ChangeError as error:
            raise ToolError(f"{path!r} cannot be listed: {error}", reason=error.code) from error
        return ToolResult(bound(text, context.output_chars), facts={"count": count})


def _listing(files: WorkspaceFiles, path: str) -> tuple[str, int]:
    entries = list(files.walk(path))
    shown = [entry for entry in entries if entry.kind != "dir"]
    if len(shown) > MAX_LISTED:  # too many to read: two levels with counts say where to look
        counts: dict[str, int] = {}
        prefix = len(path) + 1 if path else 0
        for entry in shown:
            parts = entry.path[prefix:].split("/")
            group = "/".join(parts[:2]) + ("/" if len(parts) > 2 else "")
            counts[group] = counts.get(group, 0) + 1
        lines = [
            f"{group}  ({count} files)" if group.endswith("/") else group for group, count in counts.items()
        ]
        return f"{len(shown)} files; list a folder to see more:\n" + "\n".join(lines), len(shown)
    lines = [to_portable(entry.path) + (" -> (link)" if entry.kind == "symlink" else "") for entry in shown]
    return "\n".join(lines) or "(no files)", len(shown)


class ReadFile:
    name = "read_file"
    description = "Read a text file with line numbers; give a line range for large files."
    parameters = object_schema(
        ("path",),
        path={"type": "string"},
        start_line={"type": "integer", "minimum": 1},
        end_line={"type": "integer", "minimum": 1},
    )
    is_effect = False
    step_kind = "tool_call"

    def title(self, arguments: Mapping[str, Any]) -> str:
        start, end = arguments.get("start_line"), arguments.get("end_line")
        lines = f" lines {start or 1}–{end or 'end'}" if start or end else ""
        return f"Read {arguments.get('path', '')}{lines}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        path = normalise_path(arguments["path"])
        text = await asyncio.to_thread(read_text, context.files, path)
        return number_lines(
            text,
            start=arguments.get("start_line", 1),
            end=arguments.get("end_line"),
            limit=context.output_chars,
        )


def number_lines(text: str, *, start: int, end: int | None, limit: int) -> ToolResult:
    """Return the lines `start`–`end` with their numbers, as many as fit into `limit` characters."""
    lines = text.splitlines()
    if not lines:
        return ToolResult("(the file is empty)", facts={"lines": 0})
    if start > len(lines):
        raise ToolError(f"The file has only {len(lines)} lines.")
    last = min(end or len(lines), len(lines))
    shown: list[str] = []
    size = 0
    for number in range(start, last + 1):
        line = f"{number:6}\t{bound(clean(lines[number - 1]), _LINE_CHARS)}"
        size += len(line) + 1
        if size > limit - 100:
            shown.append(
                f"[… stopped at line {number - 1} of {len(lines)}; read on with start_line={number} …]"
            )
            last = number - 1
            break
        shown.append(line)
    else:
        if last < len(lines):
            shown.append(f"[… {len(lines)} lines in all …]")
    return ToolResult("\n".join(shown), facts={"first_line": start, "last_line": last, "lines": len(lines)})


class Search:
    name = "search"
    description = "Search all files for a text or a regular expression; answers path:line: text."
    parameters = object_schema(
        ("query",),
        query={"type": "string"},
        is_regex={"type": "boolean"},
        path_glob={"type": "string", "description": "Only files that match, such as src/*.py"},
    )
    is_effect = False
    step_kind = "tool_call"

    def title(self, arguments: Mapping[str, Any]) -> str:
        where = f" in {arguments['path_glob']}" if arguments.get("path_glob") else ""
        return f"Search for {arguments.get('query', '')!r}{where}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        if not arguments["query"]:
            raise ToolError("The query is empty.")
        try:
            matches = await asyncio.to_thread(
                context.files.search,
                arguments["query"],
                is_regex=arguments.get("is_regex", False),
                is_case_sensitive=True,
                path_glob=arguments.get("path_glob", ""),
                limit=MAX_MATCHES,
            )
        except ChangeError as error:
            raise ToolError(str(error), reason=error.code) from error
        lines = [f"{match.path}:{match.line}: {bound(clean(match.text).strip(), 200)}" for match in matches]
        if matches.ended_by != "done":
            lines.append(f"[… there may be more: the search stopped at its {matches.ended_by} limit …]")
        return ToolResult(
            bound("\n".join(lines), context.output_chars) or "No match.", facts={"count": len(matches)}
        )
