"""What an agent may do at all: never more than who called it, and in a delegated run never more than its parent gave on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.agents.policy.core import CallFacts

_ALL: Final = frozenset(("read", "write", "command", "delegate"))
GRANTS: Final[dict[str, frozenset[str]]] = {
    "viewer": frozenset(("read",)),
    "member": _ALL,
    "maintainer": _ALL,
    "owner": _ALL,
}
"""What a role in the workspace lets agents do. Beyond a member's rights there is nothing that an agent could use: what lands,
people apply."""


def needs_of(tool: str, *, is_effect: bool, is_command: bool) -> str:
    """Return the permission that a call of this tool needs, in the words of a run's scope."""
    if tool in ("delegate", "delegate_several"):
        return "delegate"
    return "command" if is_command else "write" if is_effect else "read"


def granted(role: str, scope: frozenset[str] | None) -> frozenset[str]:
    """Return what a run may do: its caller's role, cut to the scope that it was given. An unknown role may nothing."""
    rights = GRANTS.get(role, frozenset())
    return rights if scope is None else rights & scope


def missing_permission(facts: CallFacts) -> str | None:
    """Return why this call is beyond its caller, or None."""
    needed = needs_of(
        facts.tool,
        is_effect=any(act.is_effect for act in facts.acts),
        is_command=facts.tool == "run_tests" or any(act.words for act in facts.acts),
    )
    if needed in granted(facts.role, facts.scope):
        return None
    if needed in granted(facts.role, None):
        return f"This run was given no permission to {needed}; what it was given can only shrink."
    return (
        f"It needs the permission to {needed}, which who called this agent ({facts.role}) does not have here."
    )
