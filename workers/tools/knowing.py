"""Tools that ask what is known: by meaning, and by who uses whom. They go through the run's own door, which has a scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workers.tools.base import ToolContext, ToolResult, object_schema
from workers.tools.errors import ToolError
from workers.tools.text import bound, first_line

Kind = Literal["structured", "semantic", "relational"]
LIMIT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Something that is known, and where it stands."""

    kind: Kind
    where: str
    """A place that a reader can go to: `docs/a.md:12`, `lesson 7`."""
    text: str
    score: float
    """0–1; how well it fits, comparable within a kind only."""


Know = Callable[[str, tuple[Kind, ...], int], Awaitable[list[Known]]]


class _Asks:
    is_effect = False
    step_kind = "tool_call"

    async def _ask(self, question: str, kinds: tuple[Kind, ...], context: ToolContext) -> ToolResult:
        if context.know is None:
            raise ToolError("This agent has no door to what is known.")
        found = await context.know(question, kinds, LIMIT)
        if not found:
            return ToolResult("Nothing fits.", facts={"found": 0})
        text = "\n\n".join(f"[{known.kind}] {known.where}\n{known.text}" for known in found)
        places = [known.where for known in found]
        return ToolResult(bound(text, context.output_chars), facts={"found": len(found), "where": places})


class Recall(_Asks):
    name = "recall"
    description = (
        "Find what fits a question by its meaning, in notes, documents and descriptions of the code, and in what this run was "
        "told: lessons, remarks, the conversation. For exact words use search."
    )
    parameters = object_schema(("question",), question={"type": "string"})

    def title(self, arguments: Mapping[str, Any]) -> str:
        return f"Recall: {first_line(arguments.get('question', ''))}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        return await self._ask(arguments["question"], ("structured", "semantic"), context)


class FindRelated(_Asks):
    name = "find_related"
    description = (
        "Find what a file or a name of Python code is tied to: which files it imports, which import it, where it is called. "
        "Use it before you change something that others use."
    )
    parameters = object_schema(
        ("name",), name={"type": "string", "description": "A path, a module, a function or a class"}
    )

    def title(self, arguments: Mapping[str, Any]) -> str:
        return f"Find what uses {first_line(arguments.get('name', ''))}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        return await self._ask(arguments["name"], ("relational",), context)
