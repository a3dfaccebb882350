"""What @reviewer may call besides reading: the diff of one file, and the end with its comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.agents.reviewer.core import KINDS, SIDES, show_hunk
from workers.changes.diffs import FileDiff
from workers.changes.paths import to_portable
from workers.tools.base import ToolContext, ToolResult, object_schema
from workers.tools.errors import ToolError
from workers.tools.finish import Finish
from workers.tools.reading import normalise_path
from workers.tools.text import bound


class ReadDiff:
    name = "read_diff"
    description = "Read the diff of one file of the change, with old and new line numbers; give a hunk's number for one of many."
    parameters = object_schema(
        ("path",), path={"type": "string"}, hunk={"type": "integer", "minimum": 1, "description": "From 1"}
    )
    is_effect = False
    step_kind = "tool_call"

    def __init__(self, files: Sequence[FileDiff]) -> None:
        self._files = {to_portable(file.path): file for file in files}

    def title(self, arguments: Mapping[str, Any]) -> str:
        return f"Read the diff of {arguments.get('path', '')}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        file = self._files.get(normalise_path(arguments["path"]))
        if file is None:
            raise ToolError(f"The change does not touch it. It touches {', '.join(self._files)}.")
        number = arguments.get("hunk")
        if number is not None and number > len(file.hunks):
            raise ToolError(f"It has only {len(file.hunks)} hunks.")
        hunks = file.hunks if number is None else file.hunks[number - 1 : number]
        text = "\n".join(show_hunk(hunk) for hunk in hunks)
        return ToolResult(bound(text, context.output_chars), facts={"hunks": len(file.hunks)})


class FinishReview(Finish):
    description = (
        "End the review. answer sums it up; comments has one entry for each finding on a line of the diff."
    )
    parameters = object_schema(
        ("answer", "comments"),
        answer={"type": "string"},
        comments={
            "type": "array",
            "items": object_schema(
                ("path", "line", "quote", "kind", "text"),
                path={"type": "string"},
                side={"type": "string", "enum": list(SIDES)},
                line={"type": "integer", "minimum": 1},
                quote={"type": "string", "description": "The code of that line, copied exactly"},
                kind={"type": "string", "enum": list(KINDS)},
                text={"type": "string"},
            ),
        },
    )
