"""What can go wrong before, or around, a sandboxed command; a command's own failure is a `Result`, never an
error."""

from __future__ import annotations

from workers.errors import PyAgentError


class SandboxError(PyAgentError):
    """The sandbox could not run the command."""

    code = "sandbox_error"


class SandboxUnavailable(SandboxError):
    """This machine lacks what the sandbox is made of; `mend` is the line that repairs it."""

    code = "sandbox_unavailable"


class SandboxRefused(SandboxError):
    """The request makes no sense: a folder outside the workspace, a path that does not exist."""

    code = "sandbox_refused"
