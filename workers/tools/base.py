"""What a tool is: something an agent may do, described so that a model can ask for it.

A tool reads or changes the files of one run and nothing else. It answers with text for the model and facts
for the tree; a call that cannot be done is an answer too (`ToolError`), never the end of the run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workers.changes.files import WorkspaceFiles
from workers.tools.errors import UnknownTool

if TYPE_CHECKING:
    from workers.tools.knowing import Know


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """Where a call happens and how much it may say."""

    files_dir: Path
    """The run's own files; no path of a call leads out of it."""
    output_chars: int = 10_000
    """How much text one answer may hold; less for models with a short context."""
    command_timeout_s: float = 120.0
    know: Know | None = None
    """Asks what is known, through the run's own door; None where there is none."""
    on_line: Callable[[str], Awaitable[None] | None] | None = None
    """Hears each line of a command while it runs."""

    @property
    def files(self) -> WorkspaceFiles:
        return WorkspaceFiles(self.files_dir)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call brought: text for the model, facts for people and for the agent's own decisions."""

    text: str
    is_error: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


class Tool(Protocol):
    """One ability. `parameters` is a JSON schema of type object; arguments were held to it before `call`."""

    name: str
    description: str
    parameters: dict[str, Any]
    is_effect: bool
    """Whether a call can change files; it waits until its intent is recorded, and a checkpoint follows it."""
    step_kind: str
    """How the call shows in the reasoning tree: tool_call, command or test_run."""

    def title(self, arguments: Mapping[str, Any]) -> str:
        """Return one line that tells a person what this call does."""
        ...

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Do it.

        Raises:
            ToolError: it cannot be done; the text tells the model what to do instead.
        """
        ...


class Toolbox:
    """The tools one agent may use, by name."""

    def __init__(self, tools: list[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    def __iter__(self) -> Any:
        return iter(self._tools.values())

    def get(self, name: str) -> Tool:
        """Return the tool with this name.

        Raises:
            UnknownTool: there is none; the text lists those there are.
        """
        try:
            return self._tools[name]
        except KeyError:
            raise UnknownTool(
                f"There is no tool {name!r}. Tools: {', '.join(self._tools)}.", name=name
            ) from None


def object_schema(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of an object with exactly these fields."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
