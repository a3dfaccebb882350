"""What @planner decides without a model: whether a plan holds, which tasks can begin, what is told of results."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workers.agents.delegating import Delegated
from workers.agents.planner import prompts
from workers.agents.toolloop.core import ToolLoopCore
from workers.queue import Job
from workers.tools.errors import InvalidArguments
from workers.tools.text import bound, first_line

MAX_TASKS: Final = 8
MAX_AT_ONCE: Final = 4
"""Tasks of one plan that are at work side by side; the others wait for a place."""
ID_CHARS: Final = 40
GOAL_CHARS: Final = 8_000
RESULT_CHARS: Final = 3_000
EARLIER_CHARS: Final = 3_000
LINE_CHARS: Final = 160
SKIPPED: Final = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One goal for one agent; it begins when the tasks that it depends on have ended well."""

    id: str
    agent: str
    goal: str
    depends_on: tuple[str, ...] = ()


Plan = tuple[Task, ...]
Outcomes = Mapping[str, Delegated]
"""What became of tasks, by their id."""


class PlannerCore(ToolLoopCore):
    """Plain data in, plain data out."""

    def opening_text(self, job: Job, *, listing: str) -> str:
        """Return the first message: what was said, what is wanted, what is there."""
        said = "\n".join(f"{item['author']}: {item['text']}" for item in job.conversation)
        earlier = prompts.EARLIER.format(messages=bound(said, EARLIER_CHARS)) if said else ""
        return earlier + prompts.OPENING.format(goal=self.goal_of(job), listing=listing)

    def read_plan(self, arguments: Mapping[str, Any], *, agents: Collection[str]) -> Plan:
        """Return the plan, in an order in which it can be carried out.

        Raises:
            InvalidArguments: it does not hold; the text names every fault.
        """
        tasks = tuple(
            Task(
                id=str(item["id"]).strip()[:ID_CHARS],
                agent=str(item["agent"]).strip().lstrip("@"),
                goal=str(item["goal"]).strip()[:GOAL_CHARS],
                depends_on=tuple(dict.fromkeys(str(one).strip() for one in item.get("depends_on") or ())),
            )
            for item in arguments["tasks"]
        )
        if not 1 <= len(tasks) <= MAX_TASKS:
            raise InvalidArguments(f"A plan has 1 to {MAX_TASKS} tasks, this one {len(tasks)}.")
        if faults := [*_faults(tasks, agents)]:
            raise InvalidArguments("The plan does not hold. " + " ".join(faults))
        return _ordered(tasks)

    def ready(self, plan: Plan, outcomes: Outcomes) -> list[Task]:
        """Return the tasks that can begin now: not done, and all they depend on has ended well."""
        return [
            task
            for task in plan
            if task.id not in outcomes and all(_is_ok(outcomes.get(one)) for one in task.depends_on)
        ]

    def next_batch(self, ready: Sequence[Task], at_work: Sequence[Task]) -> list[Task]:
        """Return the ready tasks that are at work now: those that are already, and others up to `MAX_AT_ONCE`."""
        others = [task for task in ready if task not in at_work]
        return [*at_work, *others[: max(0, MAX_AT_ONCE - len(at_work))]]

    def blocked(self, plan: Plan, outcomes: Outcomes) -> list[tuple[Task, str]]:
        """Return the tasks that can never begin, each with the reason."""
        found = []
        for task in plan:
            bad = next((one for one in task.depends_on if one in outcomes and not outcomes[one].is_ok), None)
            if task.id not in outcomes and bad is not None:
                found.append((task, prompts.NEEDS.format(task=bad, status=outcomes[bad].status)))
        return found

    def goal_for(self, task: Task, outcomes: Outcomes) -> str:
        """Return what the agent is told: its goal, and what the tasks brought that it depends on."""
        if not task.depends_on:
            return task.goal
        before = [outcomes[one] for one in task.depends_on]
        told = "\n\n".join(bound(result.describe(), RESULT_CHARS) for result in before)
        changed = [result for result in before if result.commit]
        if len(changed) == 1:
            told += "\n\n" + prompts.ITS_CHANGES.format(agent=changed[0].agent)
        elif changed:
            told += "\n\n" + prompts.NOT_IN_FILES
        return task.goal + prompts.DEPENDS.format(results=told)

    def base_for(self, task: Task, outcomes: Outcomes) -> str:
        """Return the commit that the task begins with: what the one task left that it depends on and that changed files; empty
        where there is none or more than one."""
        commits = {outcomes[one].commit for one in task.depends_on if outcomes[one].commit}
        return commits.pop() if len(commits) == 1 else ""

    def describe_results(self, plan: Plan, outcomes: Outcomes) -> str:
        """Return what came of the plan, for the model."""
        told = [f"{task.id}: {outcomes[task.id].describe()}" for task in plan if task.id in outcomes]
        return prompts.RESULTS.format(results="\n\n".join(bound(one, RESULT_CHARS) for one in told))

    def describe_tasks(self, done: Sequence[tuple[str, Delegated]]) -> str:
        """Return a line for each task that was ever planned, for people: what, how it ended, its change set."""
        lines = []
        for title, result in done:
            number = result.change_set_id
            offer = f", [change set {number}](review:{number})" if number else ""
            why = f": {first_line(result.error, LINE_CHARS)}" if result.error and not result.is_ok else ""
            lines.append(f"- {first_line(title, LINE_CHARS)} (**{result.status}**{offer}){why}")
        return prompts.TASKS.format(lines="\n".join(lines)) if lines else ""


def _is_ok(result: Delegated | None) -> bool:
    return result is not None and result.is_ok


def _faults(tasks: Plan, agents: Collection[str]) -> Iterable[str]:
    ids = [task.id for task in tasks]
    if len(set(ids)) < len(ids) or not all(ids):
        yield "Each task needs an id of its own."
    for task in tasks:
        if task.agent not in agents:
            names = ", ".join(f"@{name}" for name in sorted(agents))
            yield f"There is no agent @{task.agent} for {task.id}; there are {names}."
        if not task.goal:
            yield f"The task {task.id} has no goal."
        for one in task.depends_on:
            if one not in ids:
                yield f"{task.id} depends on {one}, which is no task."
    if circle := _circle(tasks):
        yield f"These tasks wait for each other: {' → '.join(circle)}."


def _circle(tasks: Plan) -> list[str]:
    """Return the ids of tasks that depend on each other in a circle, in order; nothing when there is none."""
    above = {task.id: [one for one in task.depends_on if any(t.id == one for t in tasks)] for task in tasks}
    while free := [task for task, waits in above.items() if not any(one in above for one in waits)]:
        for task in free:
            del above[task]
    if not above:
        return []
    path = [next(iter(above))]
    while (following := next(one for one in above[path[-1]] if one in above)) not in path:
        path.append(following)
    return [*path[path.index(following) :], following]


def _ordered(tasks: Plan) -> Plan:
    """Return the tasks so that each comes after those it depends on, otherwise as they were."""
    done: list[Task] = []
    while len(done) < len(tasks):
        names = {task.id for task in done}
        done += [task for task in tasks if task not in done and set(task.depends_on) <= names]
    return tuple(done)
