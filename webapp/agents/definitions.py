"""Reads about the agents that can be called: those that come with PyAgent and those that people defined."""

from __future__ import annotations

import difflib
import itertools
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, F, Q, QuerySet

from webapp.accounts.models import User
from webapp.agents.models import AgentDefinition, AgentVersion, Run
from webapp.learning.selectors import agents_by_weight
from webapp.workspaces.models import Workspace
from workers.agents.registry import AGENTS
from workers.queue import Budget
from workers.tools.registry import DELEGATION

Visibility = AgentDefinition.Visibility
TOOLS: Final = {
    "list_files": "List the workspace's files",
    "read_file": "Read a file",
    "search": "Search in files",
    "edit_file": "Edit a file",
    "edit_code": "Edit Python functions by name",
    "write_file": "Write a whole file",
    "delete_file": "Delete a file",
    "run_command": "Run a command in the sandbox",
    "run_tests": "Run tests in the sandbox",
    "recall": "Find by meaning in notes, documents and code",
    "find_related": "Find who imports and calls what",
    "delegate": "Hand a goal to another agent",
    "delegate_several": "Hand goals to several agents at once",
}
"""What a defined agent may be given, and what that is in words. Every agent can end its run."""

DELEGATING: Final = ("planner", "coder")
"""Agents that are told whom they can call; so are those that people gave a tool for that."""


@dataclass(frozen=True, slots=True)
class AgentOffer:
    """An agent as a menu offers it."""

    name: str
    description: str
    needs_model: bool
    needs_goal: bool
    """Whether it must be told what to do."""


@dataclass(frozen=True, slots=True)
class AgentInfo(AgentOffer):
    """An agent as people see it. `version` is set for one that people defined."""

    definition: AgentDefinition | None = None

    @property
    def version(self) -> AgentVersion | None:
        return self.definition.current if self.definition is not None else None

    @property
    def id(self) -> int | None:
        return self.definition.pk if self.definition is not None else None


@dataclass(frozen=True, slots=True)
class Record:
    """How an agent's runs in a workspace went."""

    runs: int = 0
    finished: int = 0
    applied: int = 0
    """Runs whose change set was applied."""


def visible_definitions(user: User | AnonymousUser | None, workspace: Workspace) -> list[AgentDefinition]:
    """Return what people defined and this person may call here, by name; without a person, what everybody may."""
    return list(_visible(user, workspace).select_related("current", "owner").order_by("name"))


def _visible(user: User | AnonymousUser | None, workspace: Workspace) -> QuerySet[AgentDefinition]:
    is_seen = Q(workspace=workspace, visibility=Visibility.WORKSPACE) | Q(workspace=None)
    if isinstance(user, User):
        is_seen |= Q(workspace=workspace, visibility=Visibility.PRIVATE, owner=user)
    return AgentDefinition.objects.filter(is_seen, is_archived=False, current__isnull=False)


def agents_for(run: Run) -> list[dict[str, str]]:
    """Return whom this run may hand goals to, who does best here first; nobody for an agent that hands nothing on."""
    defined = (run.job.get("definition") or {}).get("tools", ())
    if run.agent not in DELEGATING and DELEGATION.keys().isdisjoint(defined):
        return []
    return [
        {"name": agent.name, "description": agent.description}
        for agent in suggested_agents(run.requested_by, run.workspace)
    ]


def callable_agents(user: User | AnonymousUser | None, workspace: Workspace) -> list[AgentInfo]:
    """Return the agents that this person may call in this workspace, by name. The workspace's own hide the installation's."""
    found = {
        entry.name: AgentInfo(entry.name, entry.description, entry.needs_model, entry.needs_goal)
        for entry in AGENTS.values()
    }
    for row in sorted(visible_definitions(user, workspace), key=lambda row: row.workspace_id is not None):
        if row.name not in AGENTS and row.current is not None:
            found[row.name] = AgentInfo(row.name, row.current.description, True, True, row)
    return [found[name] for name in sorted(found)]


def suggested_agents(user: User | AnonymousUser | None, workspace: Workspace) -> list[AgentOffer]:
    """Return the agents that this person may call, in the order in which menus offer them: who does best here first.

    They are those of `callable_agents`. Menus stand on pages that are often opened, so nothing is read but what they show.
    """
    defined = _visible(user, workspace).order_by(F("workspace").asc(nulls_first=True), "name")
    found = {
        name: AgentOffer(name, description, True, True)
        for name, description in defined.values_list("name", "current__description")
        if name not in AGENTS
    } | {
        entry.name: AgentOffer(entry.name, entry.description, entry.needs_model, entry.needs_goal)
        for entry in AGENTS.values()
    }
    return [found[name] for name in agents_by_weight(workspace, sorted(found))]


def agent_names(user: User | AnonymousUser | None, workspace: Workspace) -> list[str]:
    """Return the names that the person may type after `@`."""
    return [agent.name for agent in callable_agents(user, workspace)]


def find_agent(name: str, user: User | AnonymousUser | None, workspace: Workspace) -> AgentInfo | None:
    """Return the agent of this name that the person may call here, or None."""
    return next((agent for agent in callable_agents(user, workspace) if agent.name == name), None)


def records(workspace: Workspace) -> dict[str, Record]:
    """Return how the runs of each agent went here, by the agent's name."""
    rows = (
        Run.objects.filter(workspace=workspace)
        .values("agent")
        .annotate(
            runs=Count("pk"),
            finished=Count("pk", filter=Q(status=Run.Status.FINISHED)),
            applied=Count("pk", filter=Q(proposed_change_set__status="landed")),
        )
    )
    return {
        row["agent"]: Record(row["runs"], row["finished"], row["applied"]) for row in rows.order_by("agent")
    }


def job_definition(info: AgentInfo) -> dict[str, Any] | None:
    """Return what the engine is handed of an agent that people defined."""
    version = info.version
    if version is None:
        return None
    return {
        "name": info.name,
        "version": version.number,
        "description": version.description,
        "instructions": version.instructions,
        "tools": list(version.tools),
    }


def model_words(version: AgentVersion) -> str:
    """Return on which model it runs; what a person calls a model of their own is nobody else's business."""
    profile = version.model_profile
    if profile is None:
        return "its caller’s"
    return f"{profile.user}’s own, no. {profile.pk}" if profile.user is not None else profile.name


def as_text(version: AgentVersion) -> str:
    """Return a version as lines that can be compared."""
    budget = Budget(**version.budget) if version.budget else None
    lines = [
        f"Description: {version.description}",
        f"Model: {model_words(version)}",
        f"Tools: {', '.join(version.tools) or 'none'}",
        f"Budget: {_budget_words(budget)}",
        "",
        *version.instructions.splitlines(),
    ]
    return "\n".join(lines) + "\n"


def _budget_words(budget: Budget | None) -> str:
    if budget is None:
        return "the workspace’s"
    tokens = f"{budget.tokens:,} tokens" if budget.tokens is not None else "any number of tokens"
    cost = f"${budget.cost_usd:g}" if budget.cost_usd is not None else "any cost"
    return f"{budget.steps} model calls, {tokens}, {budget.seconds} s, {cost}"


def diff_lines(old: AgentVersion | None, new: AgentVersion) -> list[tuple[str, str]]:
    """Return the lines of a diff between two versions, each with its kind: `same`, `added`, `removed`, `gap`."""
    before = as_text(old).splitlines() if old is not None else []
    found: list[tuple[str, str]] = []
    diff = difflib.unified_diff(before, as_text(new).splitlines(), lineterm="", n=3)
    for line in itertools.islice(diff, 2, None):  # the first two name files
        if not line.startswith("@"):
            found.append(({"+": "added", "-": "removed"}.get(line[:1], "same"), line[1:]))
        elif found or not line.startswith(("@@ -0,", "@@ -1,", "@@ -1 ")):  # else nothing was left out above
            found.append(("gap", "…"))
    return found
