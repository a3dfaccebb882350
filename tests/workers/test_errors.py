from __future__ import annotations

import pytest

import workers.agents.errors
import workers.changes.errors  # noqa: F401 - their classes are looked at
from workers.errors import CredentialRefused, ProviderRateLimited, PyAgentError, StepStopped


def _all_of(kind: type[PyAgentError]) -> list[type[PyAgentError]]:
    """Return the classes that may be raised without words of their own."""
    below = [one for child in kind.__subclasses__() for one in _all_of(child)]
    return [kind, *below] if kind.__init__ is PyAgentError.__init__ else below


@pytest.mark.parametrize("kind", _all_of(PyAgentError), ids=lambda kind: kind.__name__)
def test_says_to_people_nothing_of_attributes(kind: type[PyAgentError]) -> None:
    """Trap: a failed run said "`status` is its answer"."""
    words = str(kind())
    assert words.endswith(".") and not words.endswith("..")
    assert "; `" not in words and ". `" not in words


def test_says_what_happened() -> None:
    assert str(ProviderRateLimited(retry_after_s=3)) == "The provider asks to slow down."
    assert str(StepStopped()) == "A person stopped the step that was in flight; the run goes on."
    assert "was deleted or changed" in str(CredentialRefused(status=404))
    assert str(CredentialRefused("So.")) == "So."
