"""Every error that crosses a border of the engine, each with a stable code.

A code never changes its meaning: pages, the API and stored rows show it. `retryable` says whether trying the
same thing again can help. Facts (a path, a limit, a wait) are attributes, so that an edge can show them
without parsing text.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

_OF_ATTRIBUTES: Final = re.compile(r"[;.] (?=`)")


class PyAgentError(Exception):
    """The root: something went wrong that has a name."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "", **facts: Any) -> None:
        super().__init__(message or _words(type(self).__doc__ or ""))
        self.facts = facts
        for name, value in facts.items():
            setattr(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Return `code`, `message`, `retryable` and the facts, JSON-safe when the facts are."""
        return {"code": self.code, "message": str(self), "retryable": self.retryable, "facts": self.facts}


def _words(docstring: str) -> str:
    """Return what a class says to people: its first sentence, without what it tells programmers of its attributes."""
    said, *more = _OF_ATTRIBUTES.split(docstring.strip().splitlines()[0], maxsplit=1)
    return f"{said}." if more else said


class RunSuspends(Exception):
    """No error: the agent can do nothing before others have, so its run gives up its slot and goes on later.

    Raised inside a step, it leaves that step and those around it open. `waits_for` names the steps whose ends it waits for: all
    of them, or with `waits_any` the first.
    """

    def __init__(self, reason: str, waits_for: list[str], *, waits_any: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.waits_for, self.waits_any = reason, waits_for, waits_any


class ConfigError(PyAgentError):
    """A setting is missing or makes no sense."""

    code = "config_error"


class ProviderError(PyAgentError):
    """A model provider did not do what it was asked."""

    code = "provider_error"


class ProviderTimeout(ProviderError):
    """The model gave no answer in time."""

    code, retryable = "provider_timeout", True


class ProviderUnavailable(ProviderError):
    """The provider cannot be reached or answers with a server error."""

    code, retryable = "provider_unavailable", True


class ProviderRateLimited(ProviderError):
    """The provider asks to slow down; `retry_after_s` says how long, when it told."""

    code, retryable = "provider_rate_limited", True


class RateLimitTooLong(ProviderRateLimited):
    """The key's rate limit leaves no room for longer than a run waits in its slot."""

    code = "rate_limit_too_long"


class ProviderRejected(ProviderError):
    """The provider refuses this request as it stands."""

    code = "provider_rejected"


class ProviderAuthFailed(ProviderError):
    """The provider does not accept the key."""

    code = "provider_auth_failed"


class ProviderBadReply(ProviderError):
    """The provider's answer does not follow its own protocol."""

    code, retryable = "provider_bad_reply", True


class ProviderCutOff(ProviderError):
    """The connection broke in the middle of an answer."""

    code, retryable = "provider_cut_off", True


class ContextTooLong(ProviderError):
    """The conversation is longer than the model can read."""

    code = "context_too_long"


class NotSupported(ProviderError):
    """The model cannot do this; `what` names the ability, `instead` the models that have it."""

    code = "not_supported"


class RunError(PyAgentError):
    """A run could not go on."""

    code = "run_failed"


class RunCancelled(RunError):
    """A person stopped the run."""

    code = "run_cancelled"


class RunSuperseded(RunError):
    """Another worker holds this run now; its fencing number is higher."""

    code = "run_superseded"


class BudgetExceeded(RunError):
    """The run used up its budget; `limit` names which one."""

    code = "budget_exceeded"


class StepStopped(RunError):
    """A person stopped the step that was in flight; the run goes on. `by` says who, `step_id` which one."""

    code = "step_stopped"


class BudgetUnknown(RunError):
    """Nobody can say now what is left of the workspace's budget."""

    code, retryable = "budget_unknown", True


class UnknownAgent(RunError):
    """No agent has this name."""

    code = "unknown_agent"


class RelaySilent(RunError):
    """The relay has not acknowledged the run's events in time.

    The run is given up in this process and found again by its lease.
    """

    code, retryable = "relay_silent", True


class CredentialRefused(RunError):
    """The key of this run's model was not handed out: the model was deleted or changed after the agent was called.

    `status` is what the web app answered.
    """

    code = "credential_refused"


class CredentialUnavailable(CredentialRefused):
    """The web app cannot be reached for the key of this run's model."""

    code, retryable = "credential_unavailable", True
