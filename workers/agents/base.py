"""What every agent is: a loop of steps over a run's state. Abilities come from mixins, computing from a
Core."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from workers.agents.budget import Spending
from workers.agents.errors import Ungoverned
from workers.agents.guarding import SecretGuard
from workers.agents.lineage import CascadeContext
from workers.agents.policy.ruling import Judgement, Ruling
from workers.agents.steering import Note, Steering
from workers.agents.workplace import Workplace
from workers.errors import StepStopped
from workers.events import ChangeProposed
from workers.learning.mistakes import MistakeWatch
from workers.providers.base import Provider
from workers.queue import Job
from workers.reasoning.publisher import EventPublisher
from workers.reasoning.tokens import TokenStream
from workers.reasoning.tree import Step, StepRecorder
from workers.tools.base import Tool, ToolResult


@dataclass(slots=True, kw_only=True)
class RunState:
    """Everything one run holds while it lives in this process."""

    job: Job
    publisher: EventPublisher
    recorder: StepRecorder
    tokens: TokenStream
    workplace: Workplace
    provider: Provider | None
    guard: SecretGuard
    """Hides secrets from `provider`; tells what it hid."""
    spending: Spending
    lineage: CascadeContext
    """Who asked whom down to this run, and what it may do and use."""
    steering: Steering
    """What people tell it while it works."""
    evidence: list[dict[str, Any]] = field(default_factory=list)
    """Commands really run, each with the tree it ran on: command, exit_code, duration_ms, output, tree."""
    mistakes: MistakeWatch = field(default_factory=MistakeWatch)
    """Is told of edits and test runs; what it learns is published."""
    ruling: Ruling = field(init=False)
    """The workspace's policy, and what people said about this run's calls."""

    def __post_init__(self) -> None:
        self.ruling = Ruling.of_job(self.job)

    @property
    def history(self) -> list[dict[str, Any]]:
        """Finished steps of earlier attempts."""
        return self.job.history

    def valid_evidence(self) -> list[dict[str, Any]]:
        """Return what was run on exactly the files as they are now, the last run of each command."""
        tree = self.workplace.tree
        newest = {item["command"]: item for item in self.evidence if item["tree"] == tree}
        return list(newest.values())[-10:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ends: what is said, and what is offered when files changed."""

    answer: str
    title: str = ""
    summary: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)
    """Replies to review comments: comment_id, text."""


class BaseAgent(ABC):
    """An agent at work on one run: `begin`, then `step` until it has an outcome, then the hand-over.

    Raises from `run`: PyAgentError of any kind; the runner turns it into the run's end.
    """

    name: str = ""
    hears: ClassVar[bool] = False
    """Whether `hear` brings people's words to a model; one without a model has nobody to tell them to."""
    has_proposed = False

    async def run(self, run: RunState) -> str:
        """Work until there is an outcome, offer what changed, and return the answer."""
        if (answer := _answer_already_given(run.history)) is not None:
            return answer
        await self.begin(run)
        outcome: Outcome | None = None
        while outcome is None:
            if (notes := await run.steering.take_up()) and self.hears:
                await self.hear(run, notes)
            try:
                outcome = await self.step(run)
            except StepStopped:
                continue  # a person stopped it; what they said about that is heard before the next one
            if self.hears and run.steering.has_words:
                outcome = None  # said before it could hear it: it is not done yet
        if await asyncio.to_thread(lambda: run.workplace.has_offer):
            await self._propose(run, outcome)
        return outcome.answer

    async def begin(self, run: RunState) -> None:  # noqa: B027 - an agent without a beginning is fine
        """Prepare; on a resumed run, take up what `run.history` tells."""

    async def hear(self, run: RunState, notes: Sequence[Note]) -> None:  # noqa: B027 - see `hears`
        """Take what people said into what the model is asked next."""

    async def offer_unfinished(self, run: RunState, reason: str) -> bool:
        """Offer what a run that was cut off had changed; return whether it did, which it does once at most."""
        if self.has_proposed or not await asyncio.to_thread(lambda: run.workplace.has_offer):
            return False
        await self._propose(run, await self.unfinished(run, reason))
        return True

    async def unfinished(self, run: RunState, reason: str) -> Outcome:
        """Return how a run that ended too early presents what it has done."""
        said = f"**Not finished.** {reason} What stands so far is offered for review."
        return Outcome(answer=said, title=f"Unfinished work of @{self.name}", summary=said)

    async def judge(self, run: RunState, tool: Tool, arguments: dict[str, Any]) -> Judgement:
        """Return what happens to a call; `GovernanceMixin` knows.

        Raises:
            Ungoverned: the agent is built without it, so it makes no call at all.
        """
        raise Ungoverned(f"@{self.name} is built without governance, so it may call no tool.", tool=tool.name)

    async def permit(
        self, run: RunState, step: Step, judgement: Judgement, tool: Tool, arguments: dict[str, Any]
    ) -> ToolResult | None:
        """Return None when the call may be made, else what the model is told; as `judge`."""
        raise Ungoverned(f"@{self.name} is built without governance, so it may call no tool.", tool=tool.name)

    @abstractmethod
    async def step(self, run: RunState) -> Outcome | None:
        """Do one step; return the outcome when it was the last."""

    async def _propose(self, run: RunState, outcome: Outcome) -> None:
        place = run.workplace
        async with run.recorder.step("proposal", f"Propose: {outcome.title}", is_effect=True) as step:
            commit = await asyncio.to_thread(place.hand_over)
            evidence = await asyncio.to_thread(run.valid_evidence)
            run.publisher.publish(
                ChangeProposed,
                base_commit=place.base_commit,
                commit=commit,
                title=outcome.title,
                summary=outcome.summary,
                evidence=evidence,
                answers=outcome.answers,
            )
            self.has_proposed = True
            step.detail |= {"commit": commit, "answer": outcome.answer, "evidence": len(evidence)}


def _answer_already_given(history: list[dict[str, Any]]) -> str | None:
    """The answer of an earlier attempt that ended after its proposal was committed and before the run was."""
    for step in history:
        detail: Mapping[str, Any] = step.get("detail") or {}
        if step["kind"] == "proposal" and step["status"] == "ok":
            return str(detail.get("answer", ""))
    return None
