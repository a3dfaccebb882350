"""The agents there are; an agent is a line here. Importing this loads none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.errors import UnknownAgent
from workers.registry import load

if TYPE_CHECKING:
    from workers.agents.base import BaseAgent


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """One agent as people see it, and where its class is."""

    name: str
    description: str
    needs_model: bool
    target: str


AGENTS: Final[dict[str, AgentEntry]] = {
    entry.name: entry
    for entry in (
        AgentEntry(
            "coder",
            "Changes code with the model you chose: reads, edits, runs commands and tests, proposes a diff.",
            True,
            "workers.agents.coder.agent:CoderAgent",
        ),
        AgentEntry(
            "tidy",
            "Cleans Python without a model: safe lint fixes, dead imports, a report of the worst functions.",
            False,
            "workers.agents.tidy.agent:TidyAgent",
        ),
    )
}


def find_agent(name: str) -> AgentEntry:
    """Return the entry of the agent called `name`.

    Raises:
        UnknownAgent: there is none.
    """
    try:
        return AGENTS[name]
    except KeyError:
        raise UnknownAgent(f"There is no agent @{name}.", name=name) from None


def open_agent(name: str) -> BaseAgent:
    """Return a new agent of this name, for one run.

    Raises:
        UnknownAgent: there is none.
    """
    agent: BaseAgent = load(find_agent(name).target)()
    return agent
