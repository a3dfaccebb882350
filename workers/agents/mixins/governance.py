"""Limits: what an agent may do, what people are asked about, what each model call costs, and where the run must stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workers.agents.base import BaseAgent, RunState
from workers.agents.policy.ruling import Judgement
from workers.changes.errors import ChangeError
from workers.changes.files import WorkspaceFiles
from workers.errors import BudgetExceeded, RunSuspends
from workers.events import ApprovalAsked, SteeringTaken
from workers.providers.types import ModelReply, Price, Usage, cost_usd
from workers.reasoning.tree import Step, presentable
from workers.tools.base import Tool, ToolResult

CHARS_PER_TOKEN = 3.2
"""A careful guess for code and English where a provider does not count."""
COUNTED_FILES = 10_000
REFUSED = (
    "The policy of this workspace refuses this call ({rule}): {reason} "
    "Do without it, or say in your answer what a person should do."
)
DENIED = (
    "{by} denied this call.{said} Do not make it again; do without it, or say in your answer what is missing."
)


class GovernanceMixin(BaseAgent):
    """Holds an agent to its caller's rights, the workspace's policy and the run's budget. Secrets are hidden elsewhere, where
    requests leave (`SecretGuard`).

    Gives `judge` and `permit`, without which `OrchestrationMixin` makes no call, and expects of the class that each call goes
    through them; and `charge`, `check_budget` and `within_time`, and expects that each model call is charged.
    """

    async def judge(self, run: RunState, tool: Tool, arguments: dict[str, Any]) -> Judgement:
        """Return what happens to a call, before it has a step."""
        files_dir = run.workplace.files_dir
        return await asyncio.to_thread(
            run.ruling.judge, tool, arguments, count_files=lambda path: count_files(files_dir, path)
        )

    async def permit(
        self, run: RunState, step: Step, judgement: Judgement, tool: Tool, arguments: dict[str, Any]
    ) -> ToolResult | None:
        """Return None when the call may be made in this step, else what the model is told instead.

        Raises:
            RunSuspends: people are asked first; the run goes on when they have answered.
        """
        decision, verdict = judgement.decision, judgement.verdict
        if decision.effect == "allow":
            return None
        step.detail["policy"] = asdict(decision)
        if decision.effect == "refuse":
            told = REFUSED.format(rule=decision.rule, reason=decision.reason)
            return ToolResult(told, is_error=True, facts={"error": "refused_by_policy"})
        if verdict is None:
            await self._ask_people(run, step, judgement, tool, arguments)
            raise RunSuspends("approval", [step.step_id])
        run.ruling.use(judgement)
        step.detail["approval"] = asdict(verdict)
        if verdict.note_id:
            run.publisher.publish(SteeringTaken, note_ids=[verdict.note_id])
        if verdict.is_approved:
            return None
        said = f" They say: {verdict.text}" if verdict.text else ""
        told = DENIED.format(by=verdict.by, said=said)
        return ToolResult(told, is_error=True, facts={"error": "denied_by_person"})

    async def _ask_people(
        self, run: RunState, step: Step, judgement: Judgement, tool: Tool, arguments: dict[str, Any]
    ) -> None:
        run.publisher.publish(
            ApprovalAsked,
            step_id=step.step_id,
            tool=tool.name,
            arguments=presentable(arguments),
            reason=judgement.decision.reason,
            rule=judgement.decision.rule,
            approver=judgement.decision.approver,
            call_hash=judgement.call_hash,
        )
        await run.publisher.settle()

    def charge(self, run: RunState, step: Step, reply: ModelReply, *, sent_chars: int) -> None:
        """Count a reply against the budget and tell it in its step; a missing count is estimated and said to
        be."""
        usage = reply.usage
        if usage is None:
            said_chars = len(reply.text) + sum(len(call.raw) for call in reply.tool_calls)
            usage = estimated(sent_chars=sent_chars, said_chars=said_chars)
            step.detail["tokens"] = "estimated: the provider did not count them"
        step.input_tokens, step.output_tokens = usage.input_tokens, usage.output_tokens
        step.cost_usd = cost_usd(usage, _price(run))
        step.detail["model"] = run.provider.choice.model if run.provider else reply.model
        run.spending.add(
            input_tokens=step.input_tokens, output_tokens=step.output_tokens, cost_usd=step.cost_usd
        )

    def used_so_far(self, run: RunState, *, sent_chars: int, said_chars: int) -> dict[str, Any]:
        """Return what an answer has used that has not ended, and that nobody counts: an estimate of tokens and cost."""
        used = estimated(sent_chars=sent_chars, said_chars=said_chars)
        return {
            "input_tokens": used.input_tokens,
            "output_tokens": used.output_tokens,
            "cost_usd": cost_usd(used, _price(run)),
        }

    def charge_cut_off(self, run: RunState, step: Step, *, sent_chars: int, said_chars: int) -> None:
        """Count an answer that was cut off: what was asked and said so far is spent."""
        used = self.used_so_far(run, sent_chars=sent_chars, said_chars=said_chars)
        step.input_tokens, step.output_tokens = used["input_tokens"], used["output_tokens"]
        step.cost_usd = used["cost_usd"]
        step.detail["tokens"] = "estimated: the answer was cut off"
        run.spending.add(**used)

    def check_budget(self, run: RunState) -> None:
        """Raise BudgetExceeded when a limit is used up; its `limit` says which."""
        if (exceeded := run.spending.exceeded()) is not None:
            raise exceeded

    @asynccontextmanager
    async def within_time(self, run: RunState) -> AsyncIterator[None]:
        """Cancel the block when the run's seconds are used up, and raise BudgetExceeded."""
        timer = asyncio.timeout(run.spending.seconds_left)
        try:
            async with timer:
                yield
        except TimeoutError:
            if not timer.expired():
                raise
            seconds = run.spending.budget.seconds
            raise BudgetExceeded(f"It has used its {seconds} seconds.", limit="seconds") from None


def estimated(*, sent_chars: int, said_chars: int) -> Usage:
    """Return a careful guess of what nobody has counted."""
    return Usage(max(1, round(sent_chars / CHARS_PER_TOKEN)), round(said_chars / CHARS_PER_TOKEN))


def _price(run: RunState) -> Price | None:
    return run.provider.capabilities().price if run.provider else None


def count_files(files_dir: Path, path: str) -> int:
    """Return how many files lie at or below a path of the project, at most `COUNTED_FILES`; 0 for one outside, or absent."""
    if path.startswith(("/", "~", "$")):
        return 0
    files, path = WorkspaceFiles(files_dir), "" if path == "." else path
    try:
        if path and files.stat(path).kind != "dir":
            return 1
        found = 0
        for entry in files.walk(path):
            found += entry.kind != "dir"
            if found >= COUNTED_FILES:
                break
        return found
    except ChangeError:
        return 0
