"""The tool by which a model says that it is done. The loop reads it; calling it does nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.tools.base import ToolContext, ToolResult, object_schema


class Finish:
    name = "finish"
    description = "End the work. answer tells the person what you found or changed and why."
    parameters = object_schema(("answer",), answer={"type": "string"})
    is_effect = False
    step_kind = "tool_call"

    def title(self, arguments: Mapping[str, Any]) -> str:
        return "Finish"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        return ToolResult(arguments["answer"])


class FinishRevision(Finish):
    description = (
        "End the work. answer says what you changed; answers replies to each review comment by its number."
    )
    parameters = object_schema(
        ("answer", "answers"),
        answer={"type": "string"},
        answers={
            "type": "array",
            "items": object_schema(
                ("comment_id", "text"), comment_id={"type": "integer"}, text={"type": "string"}
            ),
        },
    )
