"""What can go wrong with the health of code."""

from __future__ import annotations

from workers.errors import PyAgentError


class LimitsBroken(PyAgentError):
    """The change would break a limit that this workspace sets on the health of its code; `breaches` says which."""

    code = "limits_broken"
