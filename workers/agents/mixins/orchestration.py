"""Calling tools, commands and other agents: recorded, bounded, checkpointed."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from workers.agents import delegating
from workers.agents.base import BaseAgent, RunState
from workers.agents.delegating import Delegated, Delegation
from workers.agents.lineage import COMMAND, DELEGATE, READ, WRITE
from workers.agents.mixins.persistence import PersistenceMixin
from workers.errors import StepStopped
from workers.events import LessonObserved
from workers.providers.types import ToolCall
from workers.reasoning.tree import Step
from workers.sandbox import Limits, Result
from workers.sandbox import run as run_in_sandbox
from workers.tools.base import Tool, Toolbox, ToolContext, ToolResult
from workers.tools.commands import facts_of
from workers.tools.delegation import Delegate
from workers.tools.errors import InvalidArguments, OutOfScope, ToolError
from workers.tools.schema import validate
from workers.tools.text import bound, clean, first_line

EVIDENCE_CHARS = 8_000
MAX_LINE_CHARS = 500
SHOWN_PATHS = 3
EDIT_CHARS = 160
NO_ENV: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call and what it brought."""

    call: ToolCall
    result: ToolResult


class OrchestrationMixin(PersistenceMixin, BaseAgent):
    """Runs what a model asks for, or an agent decides, as steps of the tree.

    Expects `judge` and `permit` of the class (GovernanceMixin): each call of a tool goes through them. What a call changed is
    kept by `checkpoint` (PersistenceMixin), what it left halfway is taken back by `restore`.
    """

    async def call_tool(
        self,
        run: RunState,
        toolbox: Toolbox,
        call: ToolCall,
        context: ToolContext,
        *,
        parent: Step | str | None = None,
    ) -> Called:
        """Do one call and return what the model is told; a call that is wrong in itself is answered, not
        raised."""
        try:
            tool = toolbox.get(call.name)
            if call.arguments is None:
                raise InvalidArguments(f"The arguments are no JSON object: {bound(call.raw, 300)}")
            arguments = validate(call.arguments, tool.parameters)
            check_scope(run, tool)
            if isinstance(tool, Delegate):
                refused = await self._ask_leave(run, tool, call, arguments, parent)
                return refused or await self._hand_on(run, tool, call, arguments, parent)
        except ToolError as error:
            return await self._refuse(run, call, error, parent)
        try:
            return await self._do(run, tool, call, arguments, context, parent)
        except StepStopped as stop:
            if tool.is_effect:  # what it had done halfway is taken back
                await self.restore(run)
            return Called(
                call, ToolResult(f"{stop} Go on without it.", is_error=True, facts={"error": stop.code})
            )

    async def _do(
        self,
        run: RunState,
        tool: Tool,
        call: ToolCall,
        arguments: dict[str, Any],
        context: ToolContext,
        parent: Step | str | None,
    ) -> Called:
        detail = {"call_id": call.id, "name": call.name, "arguments": arguments}
        title = tool.title(arguments)
        kind: Any = tool.step_kind
        judgement = await self.judge(run, tool, arguments)
        async with run.recorder.step(
            kind,
            title,
            parent=parent,
            detail=detail,
            is_effect=tool.is_effect,
            step_id=judgement.step_id,
        ) as step:
            if (refusal := await self.permit(run, step, judgement, tool, arguments)) is not None:
                step.detail |= detail | {
                    "result": refusal.text,
                    "is_error": True,
                    "facts": refusal.facts,
                }
                step.status = "failed"
                return Called(call, refusal)
            before = await asyncio.to_thread(lambda: run.workplace.tree) if tool.is_effect else ""
            heard = replace(context, on_line=partial(_tell_line, run, step))
            try:
                result = await tool.call(arguments, heard)
            except ToolError as error:
                result = ToolResult(str(error), is_error=True, facts={"error": error.code})
            step.detail |= detail | {
                "result": result.text,
                "is_error": result.is_error,
                "facts": result.facts,
            }
            if result.is_error and tool.step_kind == "tool_call":
                step.status = "failed"
            if tool.is_effect:
                await self._keep(run, tool, step, before, result)
                _watch_mistakes(run, tool, step, arguments, result)
        return Called(call, result)

    async def _keep(self, run: RunState, tool: Tool, step: Step, before: str, result: ToolResult) -> None:
        """Checkpoint what an effect changed, and note a command that changed nothing as evidence on these
        files. What a test run leaves behind is swept away: it belongs to no change."""
        if tool.step_kind == "test_run" or WRITE not in run.lineage.scope:
            await self.restore(run)
        await self.checkpoint(run, step)
        tree = await asyncio.to_thread(lambda: run.workplace.tree)
        if tool.step_kind in ("command", "test_run") and "command" in result.facts and tree == before:
            facts = result.facts
            evidence = {
                "command": facts["command"],
                "exit_code": facts["exit_code"],
                "duration_ms": facts["duration_ms"],
                "output": bound(result.text, EVIDENCE_CHARS),
                "tree": tree,
            }
            run.evidence.append(evidence)
            step.detail["evidence"] = evidence | {"output": ""}

    async def _refuse(
        self, run: RunState, call: ToolCall, error: ToolError, parent: Step | str | None
    ) -> Called:
        result = ToolResult(str(error), is_error=True, facts={"error": error.code})
        async with run.recorder.step("tool_call", f"Malformed call of {call.name}", parent=parent) as step:
            step.detail |= {"call_id": call.id, "name": call.name, "raw": call.raw, "result": result.text}
            step.fail(str(error))
        return Called(call, result)

    async def delegate(
        self,
        run: RunState,
        delegations: Sequence[Delegation],
        *,
        parent: Step | str | None = None,
        waits_any: bool = False,
    ) -> list[Delegated]:
        """Hand goals to other agents at once and return what they made of them, in order.

        Raises:
            RunSuspends: they are at work; the run is resumed when all of them have ended, with `waits_any` when one has.
        """
        return await delegating.delegate(run, delegations, parent=parent, waits_any=waits_any)

    async def _ask_leave(
        self,
        run: RunState,
        tool: Tool,
        call: ToolCall,
        arguments: dict[str, Any],
        parent: Step | str | None,
    ) -> Called | None:
        """Return why goals are not handed on, or None when they may be. Leave that was given stays given while the run waits for
        its children."""
        judgement = await self.judge(run, tool, arguments)
        has_leave = any((step.get("detail") or {}).get("leave_for") == call.id for step in run.history)
        if judgement.decision.effect == "allow" or has_leave:
            return None
        detail = {"name": call.name, "arguments": arguments}
        title = f"May it: {tool.title(arguments)}"
        async with run.recorder.step(
            "tool_call", title, parent=parent, detail=detail, step_id=judgement.step_id
        ) as step:
            step.detail |= detail
            if (refusal := await self.permit(run, step, judgement, tool, arguments)) is None:
                step.detail["leave_for"] = call.id
                return None
            told = {"result": refusal.text, "is_error": True, "facts": refusal.facts}
            step.detail |= {"call_id": call.id, **told}
            step.status = "failed"
        return Called(call, refusal)

    async def _hand_on(
        self,
        run: RunState,
        tool: Delegate,
        call: ToolCall,
        arguments: dict[str, Any],
        parent: Step | str | None,
    ) -> Called:
        above = parent.step_id if isinstance(parent, Step) else parent
        delegations = [
            Delegation(
                key=f"{above}:{call.id}:{number}",
                agent=task["agent"].lstrip("@"),
                goal=task["goal"],
                scope=frozenset(task["may"]) if "may" in task else None,
            )
            for number, task in enumerate(tool.tasks(arguments))
        ]
        results = await self.delegate(run, delegations, parent=parent)
        text = "\n\n".join(result.describe() for result in results)
        is_error = not any(result.is_ok for result in results)
        detail = {"call_id": call.id, "name": call.name, "arguments": arguments}
        async with run.recorder.step("tool_call", tool.title(arguments), parent=parent) as step:
            step.detail |= detail | {"result": text, "is_error": is_error}
        return Called(call, ToolResult(text, is_error=is_error))

    async def prove(
        self,
        run: RunState,
        command: Sequence[str],
        *,
        paths: Sequence[str] = (),
        env: Mapping[str, str] = NO_ENV,
    ) -> Result:
        """Run a command on `paths` of the files as they are and note its result as evidence for them."""
        shown = shlex.join([*command, *(paths if len(paths) <= SHOWN_PATHS else ())])
        if len(paths) > SHOWN_PATHS:
            shown += f" … ({len(paths)} files)"
        async with run.recorder.step("command", f"$ {first_line(shown, 160)}", is_effect=True) as step:
            tree = await asyncio.to_thread(lambda: run.workplace.tree)
            started = time.monotonic()
            result = await run_in_sandbox(
                [*command, *paths], files=run.workplace.files_dir, limits=Limits(wall_s=120.0), env=env
            )
            output = bound(clean(result.output).strip("\n"), EVIDENCE_CHARS)
            step.detail |= facts_of(result) | {"command": shown, "output": output}
            run.evidence.append(
                {
                    "command": shown,
                    "exit_code": result.exit_code,
                    "duration_ms": round((time.monotonic() - started) * 1000),
                    "output": output,
                    "tree": tree,
                }
            )
        return result


def check_scope(run: RunState, tool: Tool) -> None:
    """Refuse a tool that this run may not use.

    Raises:
        OutOfScope: its lineage leaves that out.
    """
    needed = READ
    if tool.step_kind == "delegation":
        needed = DELEGATE
    elif tool.is_effect:
        needed = COMMAND if tool.step_kind in ("command", "test_run") else WRITE
    if needed not in run.lineage.scope:
        names = " → ".join(f"@{name}" for name in run.lineage.names)
        raise OutOfScope(f"{tool.name} needs “{needed}”, which {names} was not given.", needed=needed)


def _watch_mistakes(
    run: RunState, tool: Tool, step: Step, arguments: Mapping[str, Any], result: ToolResult
) -> None:
    """Tell the workspace what tests teach that an edit broke, and what mended them."""
    if tool.step_kind == "tool_call" and not result.is_error:
        run.mistakes.edited(_edit_words(step.title, arguments))
    elif tool.step_kind == "test_run" and result.facts.get("ended_by") != "timeout":
        seen = run.mistakes.tested(passed=not result.is_error, output=result.text)
        if seen is not None:
            run.publisher.publish(
                LessonObserved, source="test", pattern=seen.pattern, cause=seen.cause, solution=seen.solution,
                evidence=seen.evidence, step_id=step.step_id,
            )  # fmt: skip


def _edit_words(title: str, arguments: Mapping[str, Any]) -> str:
    """Return what an edit did, in a line: its title and the beginning of what it wrote."""
    written = next(
        (str(arguments[name]) for name in ("new_text", "code", "content") if arguments.get(name)), ""
    )
    return f"{title}: {first_line(written, EDIT_CHARS)}" if written.strip() else title


def _tell_line(run: RunState, step: Step, line: str) -> None:
    """Show a line of a command to whoever watches."""
    run.tokens.write(step.step_id, bound(clean(line), MAX_LINE_CHARS) + "\n", is_model=False)
