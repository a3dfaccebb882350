"""What @tester may call: reading, running tests, and writing test files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workers.agents.tester import prompts
from workers.tools.base import Tool, ToolContext, ToolResult
from workers.tools.errors import ToolError
from workers.tools.reading import normalise_path


class TestFilesOnly:
    """A tool that writes the file at `path`, held to test files."""

    __test__ = False

    def __init__(self, tool: Tool, may_touch: Callable[[str], bool]) -> None:
        self._tool, self._may_touch = tool, may_touch
        self.name, self.parameters = tool.name, tool.parameters
        self.description = f"{tool.description} Test files only."
        self.is_effect, self.step_kind = tool.is_effect, tool.step_kind

    def title(self, arguments: Mapping[str, Any]) -> str:
        return self._tool.title(arguments)

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        path = normalise_path(arguments["path"])
        if not self._may_touch(path):
            raise ToolError(prompts.TESTS_ONLY.format(path=path))
        return await self._tool.call(arguments, context)
