"""Who an agent is and what it runs on."""

from __future__ import annotations

import asyncio
from typing import Any

from workers.agents.base import RunState
from workers.errors import ProviderUnavailable
from workers.providers.types import Capabilities

START_S = 120.0
"""Longer than the packaged model takes to load on a machine that is busy with everything else at its start."""
POLL_S = 0.5


class IdentityMixin:
    """Says who an agent is (name, version, abilities) and which model a run uses, as the first thing in its tree, and waits
    until that model is there.

    Expects `name` of the class; `version` where it differs from the first.
    """

    name: str
    version: str = "1"
    """Counts up when the agent behaves differently, so that runs can be compared."""

    def identity(self) -> dict[str, Any]:
        """Return name, version and the abilities that the class is composed of."""
        kinds = [kind.__name__ for kind in type(self).__mro__ if kind.__name__.endswith("Mixin")]
        abilities = sorted({kind.removesuffix("Mixin").lower() for kind in kinds})
        return {"agent": self.name, "version": self.version, "abilities": abilities}

    async def introduce(self, run: RunState) -> None:
        """Tell the model, its abilities and its price in a step, once a run."""
        if run.provider is None or run.history:
            return
        choice, abilities = run.provider.choice, run.provider.capabilities()
        title = f"@{self.name} runs on {choice.model} ({choice.provider})"
        detail = {
            **self.identity(),
            "provider": choice.provider,
            "model": choice.model,
            "context_tokens": abilities.context_tokens,
            "protocol": describe_protocol(abilities),
            "price": describe_price(abilities),
        }
        async with run.recorder.step("thought", title, detail=detail) as step:
            step.detail |= detail

    async def await_model(self, run: RunState) -> None:
        """Wait, as a step that people see, while the model is still being started or loaded.

        Raises:
            ProviderUnavailable: it is not there after `START_S`.
        """
        if run.provider is None or not (reason := await run.provider.waits_for()):
            return
        async with run.recorder.step("thought", f"Waiting: {reason}"):
            try:
                async with asyncio.timeout(START_S):
                    while reason := await run.provider.waits_for():  # noqa: ASYNC110 - nobody tells when it is there
                        await asyncio.sleep(POLL_S)
            except TimeoutError:
                raise ProviderUnavailable(f"{reason}, for {START_S:g} s by now") from None


def describe_protocol(abilities: Capabilities) -> str:
    """Return how tools are asked for with this model."""
    if abilities.has_tools:
        return "native tools"
    if abilities.has_json_schema:
        return "one tool a turn, as JSON held to a schema"
    return "one tool a turn, as JSON by instruction"


def describe_price(abilities: Capabilities) -> str:
    """Return the price per million tokens; unknown is said to be unknown."""
    price = abilities.price
    if price is None:
        return "unknown"
    if price.input_usd_per_mtok == price.output_usd_per_mtok == 0:
        return "free (runs here)"
    return f"${price.input_usd_per_mtok:g} in, ${price.output_usd_per_mtok:g} out per million tokens"
