"""The tool that runs a shell command in the sandbox, and how a command's end is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workers.sandbox import Limits, Result, run
from workers.tools.base import ToolContext, ToolResult, object_schema
from workers.tools.errors import ToolError
from workers.tools.text import bound, clean, first_line

OUTPUT_BYTES = 256 * 1024
_ENDS = {
    "timeout": "It was stopped: it ran longer than {limit:g} s.",
    "memory": "It was stopped: it used too much memory.",
    "output": "It was stopped: it wrote too much.",
    "disk": "It was stopped: it wrote too many bytes or files.",
    "processes": "It was stopped: it started too many processes.",
    "cancel": "It was cancelled.",
}


async def run_in_sandbox(
    command: str,
    context: ToolContext,
    *,
    timeout_s: float | None = None,
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run `command` in the run's files and return its result; the network is off.

    Raises:
        SandboxUnavailable: this machine cannot confine it, so it was not started.
    """
    limits = replace(Limits(), wall_s=timeout_s or context.command_timeout_s, output_bytes=OUTPUT_BYTES)
    return await run(command, files=context.files_dir, limits=limits, env=env or {}, on_line=context.on_line)


def describe_end(result: Result, *, limit_s: float) -> str:
    """Return one line that says how a command ended."""
    if result.ended_by in _ENDS:
        return _ENDS[result.ended_by].format(limit=limit_s)
    if result.signal is not None:
        return f"It was killed by signal {result.signal}."
    return f"Exit code {result.exit_code}."


def facts_of(result: Result) -> dict[str, Any]:
    """Return what the tree shows of a command."""
    return {
        "exit_code": result.exit_code,
        "ended_by": result.ended_by,
        "duration_ms": round(result.duration_s * 1000),
        "output_bytes": result.output_bytes,
    }


class RunCommand:
    name = "run_command"
    description = (
        "Run a shell command (bash) in the project's folder, without network. Each call starts a new shell. "
        "Use it to reproduce, inspect and check."
    )
    parameters = object_schema(
        ("command",),
        command={"type": "string"},
        timeout_s={"type": "integer", "minimum": 1, "maximum": 600},
    )
    is_effect = True
    step_kind = "command"

    def title(self, arguments: Mapping[str, Any]) -> str:
        return f"$ {first_line(arguments.get('command', ''))}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        command = arguments["command"]
        if not command.strip() or "\0" in command:
            raise ToolError("The command is empty or holds a NUL.")
        limit_s = min(float(arguments.get("timeout_s", context.command_timeout_s)), context.command_timeout_s)
        result = await run_in_sandbox(command, context, timeout_s=limit_s)
        output = bound(clean(result.output).strip("\n"), context.output_chars)
        end = describe_end(result, limit_s=limit_s)
        text = f"{end}\n{output}" if output else f"{end} (no output)"
        facts = facts_of(result) | {"command": command}
        return ToolResult(text, is_error=not result.is_ok, facts=facts)
