"""How a run of an agent can fail by itself, besides the errors of its model and its tools."""

from __future__ import annotations

from workers.errors import RunError


class ModelRefused(RunError):
    """The model refuses to answer this request."""

    code = "model_refused"


class ModelStuck(RunError):
    """The model repeats itself or never makes a valid call."""

    code = "model_stuck"


class DelegationRefused(RunError):
    """This goal cannot be handed on; `lineage` names the agents that led here, in order, the refused one last."""

    code = "delegation_refused"


class DelegationCycle(DelegationRefused):
    """An agent was to be handed a goal that it is at work on further up."""

    code = "delegation_cycle"


class DelegationTooDeep(DelegationRefused):
    """Goals were handed on too often."""

    code = "delegation_too_deep"


class DeadlinePassed(DelegationRefused):
    """The time of the whole cascade is over."""

    code = "deadline_passed"


class NothingToReview(RunError):
    """Say which change to review: its number, or "the last change"."""

    code = "nothing_to_review"


class Ungoverned(RunError):
    """An agent without governance wanted to call a tool."""

    code = "ungoverned"
