"""How a run of an agent can fail by itself, besides the errors of its model and its tools."""

from __future__ import annotations

from workers.errors import RunError
from workers.events import SuspendReason


class ModelRefused(RunError):
    """The model refuses to answer this request."""

    code = "model_refused"


class ModelStuck(RunError):
    """The model repeats itself or never makes a valid call."""

    code = "model_stuck"


class RunSuspends(Exception):
    """The agent can do nothing before others have: its run gives up its slot and is resumed from its finished steps."""

    def __init__(self, reason: SuspendReason, waits_for: list[str]) -> None:
        super().__init__(reason)
        self.reason: SuspendReason = reason
        self.waits_for = waits_for
