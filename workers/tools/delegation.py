"""The tools by which a model hands goals to other agents. The run does it (`workers.agents.delegating`): it pauses meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.tools.base import ToolContext, ToolResult, object_schema
from workers.tools.errors import ToolError

MAX_AT_ONCE = 8
MAY = ("read", "write", "command", "delegate")
_TASK: dict[str, dict[str, Any]] = {
    "agent": {"type": "string"},
    "goal": {"type": "string"},
    "may": {"type": "array", "items": {"type": "string", "enum": list(MAY)}},
}


class Delegate:
    name = "delegate"
    description = (
        "Hand a goal to another agent (agent: its name without @) and wait for its answer. Say in goal all that it "
        "must know. may limits what it may do; leave it out for as much as you may."
    )
    parameters = object_schema(("agent", "goal"), **_TASK)
    is_effect = True
    step_kind = "delegation"

    def tasks(self, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the tasks that a call asks for: agent, goal and perhaps may."""
        return [dict(arguments)]

    def title(self, arguments: Mapping[str, Any]) -> str:
        return "Hand on to " + ", ".join(f"@{task['agent']}" for task in self.tasks(arguments))

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        raise ToolError("Goals are handed on by the run, which this call has not reached.")


class DelegateSeveral(Delegate):
    name = "delegate_several"
    description = (
        f"Hand goals to several agents at once (at most {MAX_AT_ONCE}), which work side by side on files of their own, "
        "and wait for all answers."
    )
    parameters = object_schema(
        ("tasks",), tasks={"type": "array", "items": object_schema(("agent", "goal"), **_TASK)}
    )

    def tasks(self, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the tasks.

        Raises:
            ToolError: there are none, or too many.
        """
        tasks: list[dict[str, Any]] = arguments["tasks"]
        if not 1 <= len(tasks) <= MAX_AT_ONCE:
            raise ToolError(f"Hand on 1 to {MAX_AT_ONCE} goals at once.")
        return tasks
