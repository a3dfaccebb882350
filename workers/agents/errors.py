"""How a run of an agent can fail by itself, besides the errors of its model and its tools."""

from __future__ import annotations

from workers.errors import RunError


class ModelRefused(RunError):
    """The model refuses to answer this request."""

    code = "model_refused"


class ModelStuck(RunError):
    """The model repeats itself or never makes a valid call."""

    code = "model_stuck"
