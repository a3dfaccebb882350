"""@planner: splits a goal into a graph of tasks and hands them to other agents, those that can begin side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.agents.base import Outcome, RunState
from workers.agents.delegating import Delegated, Delegation, record_unbegun, results_in
from workers.agents.mixins.orchestration import Called
from workers.agents.planner import prompts
from workers.agents.planner.core import MAX_TASKS, SKIPPED, Plan, PlannerCore, Task
from workers.agents.toolloop.agent import ToolLoopAgent, model_of
from workers.agents.toolloop.conversation import Turn
from workers.errors import BudgetExceeded
from workers.providers.types import ToolCall
from workers.reasoning.tree import Step
from workers.tools.base import Tool, Toolbox, ToolContext, ToolResult, object_schema
from workers.tools.finish import Finish
from workers.tools.reading import ListFiles, ReadFile, Search
from workers.tools.text import bound

PLAN = "plan"


class PlanTool:
    """Takes a plan; the agent carries it out when it holds."""

    name = PLAN
    description = (
        "Hand tasks to agents. Those whose depends_on is empty begin at once, the others when those have ended well. You are "
        "told what came of each."
    )
    parameters = object_schema(
        ("tasks",),
        tasks={
            "type": "array",
            "items": object_schema(
                ("id", "agent", "goal"),
                id={"type": "string"},
                agent={"type": "string"},
                goal={"type": "string"},
                depends_on={"type": "array", "items": {"type": "string"}},
            ),
        },
    )
    is_effect = False
    step_kind = PLAN

    def __init__(self, core: PlannerCore, agents: Sequence[str]) -> None:
        self._core, self._agents = core, agents

    def title(self, arguments: Mapping[str, Any]) -> str:
        count = len(arguments["tasks"])
        return f"Plan of {count} task{'' if count == 1 else 's'}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Raises InvalidArguments: the plan does not hold."""
        plan = self._core.read_plan(arguments, agents=self._agents)
        return ToolResult(f"The plan holds: {len(plan)} tasks.", facts={"order": [task.id for task in plan]})


class PlannerAgent(ToolLoopAgent):
    """Plans, hands on, and plans again for what is missing. Each task's outcome stands in its answer."""

    name = "planner"
    examples = prompts.EXAMPLES
    core: PlannerCore

    def __init__(self) -> None:
        super().__init__()
        self.core = PlannerCore()
        self._done: dict[str, tuple[str, Delegated]] = {}
        """Each task that was planned, by its step: title and outcome."""
        self._asked_in: str | None = None

    def open_tools(self, run: RunState) -> Toolbox:
        tools: list[Tool] = [
            ListFiles(),
            ReadFile(),
            Search(),
            PlanTool(self.core, self._agents(run)),
            Finish(),
        ]
        return Toolbox(tools)

    def instructions(self, run: RunState) -> str:
        lines = "\n".join(f"- {agent['name']}: {agent['description']}" for agent in run.job.agents)
        return prompts.INSTRUCTIONS.format(agents=lines, max_tasks=MAX_TASKS)

    async def opening(self, run: RunState) -> str:
        titles = {step["step_id"]: step["title"] for step in run.history}
        for step_id, result in results_in(run.history).items():
            self._done[step_id] = (titles[step_id], result)
        listing = bound((await ListFiles().call({}, self.context)).text, self.context.output_chars // 2)
        return self.core.opening_text(run.job, listing=listing)

    async def step(self, run: RunState) -> Outcome | None:
        provider = model_of(run)
        if provider.choice.provider == "embedded":
            return Outcome(answer=prompts.TOO_SMALL.format(model=provider.choice.model))
        return await super().step(run)

    async def call_tool(
        self,
        run: RunState,
        toolbox: Toolbox,
        call: ToolCall,
        context: ToolContext,
        *,
        parent: Step | str | None = None,
    ) -> Called:
        self._asked_in = parent.step_id if isinstance(parent, Step) else parent
        return await super().call_tool(run, toolbox, call, context, parent=parent)

    async def after_call(self, run: RunState, turn: Turn, called: Called) -> None:
        """Carry out a plan that holds and tell the model what came of it.

        Raises:
            RunSuspends: others are at work on it.
        """
        if called.call.name != PLAN or called.result.is_error:
            return
        plan = self.core.read_plan(called.call.arguments or {}, agents=self._agents(run))
        outcomes = await self._carry_out(run, plan, f"{len(self.turns)}:{called.call.id}")
        turn.notes.append(self.core.describe_results(plan, outcomes))

    async def _carry_out(self, run: RunState, plan: Plan, name: str) -> dict[str, Delegated]:
        outcomes: dict[str, Delegated] = {}
        parent = self._asked_in or self.last_model_step(run)

        def handed(task: Task, goal: str) -> Delegation:
            base = self.core.base_for(task, outcomes) if goal else ""
            return Delegation(
                key=f"{name}:{task.id}", agent=task.agent, goal=goal or task.goal, base_commit=base
            )

        def known(task: Task, one: Delegation, result: Delegated) -> None:
            outcomes[task.id] = result
            self._done[one.step_id] = (one.title, result)

        ended = results_in(run.history)
        for task in plan:  # in an order in which each comes after those it depends on
            one = handed(task, "")
            if one.step_id in ended:
                known(task, one, ended[one.step_id])
        while True:
            while blocked := self.core.blocked(plan, outcomes):
                for task, why in blocked:
                    one = handed(task, "")
                    known(task, one, await record_unbegun(run, one, SKIPPED, why, parent=parent))
            ready = self.core.ready(plan, outcomes)
            at_work = [task for task in ready if handed(task, "").step_id in run.job.open_steps]
            begun = self.core.next_batch(ready, at_work)
            if not begun:
                return outcomes
            asked = [handed(task, self.core.goal_for(task, outcomes)) for task in begun]
            results = await self.delegate(run, asked, parent=parent, waits_any=True)
            for task, one, result in zip(begun, asked, results, strict=True):
                known(task, one, result)

    async def outcome(
        self, run: RunState, answer: str, arguments: Mapping[str, Any] | None = None
    ) -> Outcome:
        tasks = self.core.describe_tasks(list(self._done.values()))
        return Outcome(answer="\n\n".join(filter(None, (answer, tasks))) or "Nothing was to be done.")

    async def end_early(self, run: RunState, reason: str, error: BudgetExceeded | None) -> Outcome:
        """Say what came of the tasks so far; without any, fail."""
        if not self._done:
            return await super().end_early(run, reason, error)
        return await self.outcome(run, prompts.NOT_FINISHED.format(reason=reason))

    def _agents(self, run: RunState) -> list[str]:
        return [agent["name"] for agent in run.job.agents]
