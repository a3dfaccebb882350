"""The agents there are; an agent is a line here. Importing this loads none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.errors import UnknownAgent
from workers.queue import Job
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
    needs_goal: bool = True
    """Whether it must be told what to do; others have something to do without words."""


DEFINED: Final = "workers.agents.defined.agent:DefinedAgent"
"""What runs an agent that people defined."""
AGENTS: Final[dict[str, AgentEntry]] = {
    entry.name: entry
    for entry in (
        AgentEntry(
            "auditor",
            "Judges whether something holds in the project, by reading its files; goals are checked by it.",
            True,
            "workers.agents.auditor.agent:AuditorAgent",
        ),
        AgentEntry(
            "coder",
            "Changes code with the model you chose: reads, edits, runs commands and tests, proposes a diff.",
            True,
            "workers.agents.coder.agent:CoderAgent",
        ),
        AgentEntry(
            "explainer",
            "Answers questions about the code, with places in files that are checked to exist; changes nothing.",
            True,
            "workers.agents.explainer.agent:ExplainerAgent",
        ),
        AgentEntry(
            "planner",
            "Splits a goal into tasks, hands them to other agents side by side, and tells what came of each.",
            True,
            "workers.agents.planner.agent:PlannerAgent",
        ),
        AgentEntry(
            "reviewer",
            "Reviews a change set (its number, or the last one) and comments on its lines; decides nothing.",
            True,
            "workers.agents.reviewer.agent:ReviewerAgent",
            needs_goal=False,
        ),
        AgentEntry(
            "scribe",
            "Sums up a channel or a topic: decisions, actions with their owners, open questions, with links.",
            True,
            "workers.agents.scribe.agent:ScribeAgent",
            needs_goal=False,
        ),
        AgentEntry(
            "tester",
            "Writes tests for a file, function or change, runs them and measures coverage; offers only tests that pass.",
            True,
            "workers.agents.tester.agent:TesterAgent",
        ),
        AgentEntry(
            "tidy",
            "Cleans Python without a model: safe lint fixes, dead imports, a report of the worst functions.",
            False,
            "workers.agents.tidy.agent:TidyAgent",
            needs_goal=False,
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


def entry_of(job: Job) -> AgentEntry:
    """Return the entry of the agent that `job` asks for, which people may have defined.

    Raises:
        UnknownAgent: there is none.
    """
    if job.definition is not None:
        return AgentEntry(job.agent, str(job.definition["description"]), True, DEFINED)
    return find_agent(job.agent)


def open_agent(job: Job) -> BaseAgent:
    """Return a new agent for this job's one run.

    Raises:
        UnknownAgent: there is none of this name.
    """
    kind = load(entry_of(job).target)
    agent: BaseAgent = kind(job.definition) if job.definition is not None else kind()
    return agent
