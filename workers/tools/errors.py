"""What a tool tells the model when a call cannot be done. The run goes on: the model reads the text and tries
again."""

from __future__ import annotations

from workers.errors import PyAgentError


class ToolError(PyAgentError):
    """The call could not be done."""

    code = "tool_error"


class UnknownTool(ToolError):
    """There is no tool with this name."""

    code = "unknown_tool"


class InvalidArguments(ToolError):
    """The arguments do not follow the tool's schema."""

    code = "invalid_arguments"


class OutOfScope(ToolError):
    """This run may not do that: whoever called its agent left it out."""

    code = "out_of_scope"


class EditRefused(ToolError):
    """The text to replace is not there exactly once."""

    code = "edit_refused"
