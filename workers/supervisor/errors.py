"""Why a start is refused. Each message is one line that says what to do."""

from __future__ import annotations

from workers.errors import PyAgentError


class StartRefused(PyAgentError):
    """PyAgent cannot start like this."""

    code = "start_refused"


class PortTaken(StartRefused):
    """Another program listens on the port."""

    code = "port_taken"


class AlreadyRunning(StartRefused):
    """Another supervisor uses this PYAGENT_HOME."""

    code = "already_running"


class SetUpFailed(StartRefused):
    """A step that has to succeed before the pages can be served did not."""

    code = "set_up_failed"
