"""Looking at one's own work once more before it is handed in."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any

from workers.agents.base import BaseAgent, Outcome, RunState
from workers.agents.critique import AGAIN_NOTE, Critique, ReflectionCore
from workers.agents.mixins.governance import GovernanceMixin
from workers.errors import ProviderCutOff, ProviderError
from workers.events import LessonObserved

MAX_AGAIN = 2
"""Passes that critiques may ask for in one run; after that the answer stands."""
MIN_CALLS = 3
"""Model calls that must be left to ask: the critique, and a pass that mends and finishes."""
MIN_SECONDS = 20.0
CHARS_PER_TOKEN = 3


class ReflectionMixin(GovernanceMixin, BaseAgent):
    """Critiques a finished pass, once for each pass: evidence first, then the model's opinion.

    The critique never replaces the answer. It confirms, or asks for one more pass with the reason; where that pass cannot be
    done, the answer that was there stands. Expects of the class that it calls `reflect` with each outcome before it ends, and
    `standing` when it must end early. The workspace's policy says which agents reflect.
    """

    reflection_core = ReflectionCore()

    def __init__(self) -> None:
        super().__init__()
        self._critiques: list[Critique] = []
        self._standing: tuple[Outcome, str] | None = None

    def told_of_failure(self, run: RunState, tree: str) -> bool:
        """Return whether the model has been told already that tests fail on this tree; then its word counts."""
        return False

    async def reflect(self, run: RunState, outcome: Outcome, *, pass_key: str) -> tuple[Outcome, str | None]:
        """Return the outcome as it stands, and what the model is told when it is to go on; None: it may end.

        Args:
            pass_key: Names the pass, so that a resumed run does not critique it again.
        """
        if not await self._is_worth_it(run):
            return self._with_counts(outcome), None
        critique = await self._critique(run, outcome, pass_key)
        if critique is None:
            return self._with_counts(outcome), None
        self._critiques.append(critique)
        if not critique.sends_back:
            return self._with_counts(outcome), None
        self._standing = self._with_counts(outcome), await asyncio.to_thread(lambda: run.workplace.head)
        return outcome, AGAIN_NOTE.format(reason=critique.reason)

    async def standing(self, run: RunState) -> Outcome | None:
        """Return the outcome that a critique sent back, with the files as they were then; None when there is none."""
        if self._standing is None:
            return None
        outcome, commit = self._standing
        if commit != await asyncio.to_thread(lambda: run.workplace.head):
            title = "Take back what the extra pass had begun: its budget ended"
            async with run.recorder.step("tool_call", title, is_effect=True) as step:
                await asyncio.to_thread(run.workplace.return_to, commit)
                step.detail["checkpoint"] = commit
        return outcome

    async def _is_worth_it(self, run: RunState) -> bool:
        """Whether there is a change to hold the answer against, a model that can judge it, and room for what follows."""
        if not run.ruling.reflects or run.provider is None or run.provider.choice.provider == "embedded":
            return False  # nothing the embedded model thinks of a change would be worth a pass
        if sum(critique.sends_back for critique in self._critiques) >= MAX_AGAIN:
            return False
        left = run.spending.budget.steps - run.spending.steps
        if left < MIN_CALLS or run.spending.seconds_left < MIN_SECONDS or run.spending.exceeded() is not None:
            return False
        return await asyncio.to_thread(lambda: run.workplace.has_offer)

    async def _critique(self, run: RunState, outcome: Outcome, pass_key: str) -> Critique | None:
        if (known := self._known(run, pass_key)) is not None:
            return known
        evidence = await asyncio.to_thread(run.valid_evidence)
        tree = await asyncio.to_thread(lambda: run.workplace.tree)
        found = self.reflection_core.from_evidence(evidence)
        if found is not None:
            if self.told_of_failure(run, tree):
                return None
            async with run.recorder.step("thought", "Looks at its work once more: tests fail") as step:
                step.detail |= self._told(found, pass_key)
            return found
        return await self._ask(run, outcome, evidence, pass_key)

    def _known(self, run: RunState, pass_key: str) -> Critique | None:
        """Return the critique of this pass that an earlier attempt finished."""
        for step in run.history:
            told = (step.get("detail") or {}).get("reflection")
            if told and told["pass_key"] == pass_key and step["status"] == "ok":
                return Critique(kind=told["kind"], reason=told["reason"], is_evidence=told["is_evidence"])
        return None

    async def _ask(
        self, run: RunState, outcome: Outcome, evidence: list[dict[str, Any]], pass_key: str
    ) -> Critique | None:
        provider = run.provider
        assert provider is not None  # noqa: S101 - asked only where there is one
        place = run.workplace
        diff = await asyncio.to_thread(
            place.repository.bare.run, "diff", "--no-color", "--no-ext-diff", place.base_commit, place.head
        )
        abilities = provider.capabilities()
        is_constrained = not abilities.has_tools and abilities.has_json_schema
        request = self.reflection_core.question(
            goal=run.job.goal,
            answer=outcome.answer,
            diff=diff.decode("utf-8", "replace"),
            evidence=evidence,
            max_chars=abilities.context_tokens * CHARS_PER_TOKEN // 2,
            is_constrained=is_constrained,
        )
        title = f"Looks at its work once more ({provider.choice.model})"
        # Known before it ends: a critique that breaks off is no turn of the conversation either.
        mark = {"reflection": {"pass_key": pass_key}}
        try:
            async with run.recorder.step("model_call", title, detail=mark) as step:
                step.detail |= mark
                sent_chars = sum(len(message.content) for message in request.messages)
                try:
                    reply = await provider.generate(request)
                except (asyncio.CancelledError, ProviderCutOff):
                    self.charge_cut_off(run, step, sent_chars=sent_chars, said_chars=0)
                    raise
                self.charge(run, step, reply, sent_chars=sent_chars)
                critique = self.reflection_core.read(reply.text, is_constrained=is_constrained)
                step.detail |= self._told(critique, pass_key) | {"text": reply.text}
            if critique.sends_back:
                run.publisher.publish(
                    LessonObserved,
                    source="reflection",
                    pattern=critique.reason,
                    evidence=run.job.goal,
                    step_id=step.step_id,
                )
        except ProviderError:
            return None  # the step says why; an opinion that cannot be had changes nothing
        return critique

    def _told(self, critique: Critique, pass_key: str) -> dict[str, Any]:
        unclear = sum(one.kind == "unclear" for one in [*self._critiques, critique])
        return {
            "reflection": asdict(critique) | {"pass_key": pass_key, "unclear_so_far": unclear},
            "verdict": self.reflection_core.describe([critique]),
        }

    def _with_counts(self, outcome: Outcome) -> Outcome:
        told = self.reflection_core.describe(self._critiques)
        return replace(outcome, summary=f"{outcome.summary}\n\n_{told}._") if told else outcome
