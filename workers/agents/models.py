"""The models of a run: the one that was chosen, and those to go on with, opened when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from redis.asyncio import Redis

from workers.agents.budget import Spending
from workers.agents.credentials import ask_for_seed, fetch_secret
from workers.agents.metering import MeteredProvider
from workers.agents.purse import Purse
from workers.config import Config
from workers.errors import PyAgentError
from workers.providers.base import Provider
from workers.providers.limiting import KeyLimits, LimitedProvider
from workers.providers.registry import open_provider
from workers.providers.routing import Candidate, RoutingProvider
from workers.providers.types import ModelChoice
from workers.queue import Job
from workers.reasoning.tree import StepRecorder


async def open_models(
    job: Job, *, config: Config, client: Redis, recorder: StepRecorder, spending: Spending
) -> RoutingProvider:
    """Return the provider that the run asks; close it with `aclose()`.

    Raises:
        ConfigError: the job names no model that can be read.
        CredentialRefused, CredentialUnavailable, ProviderAddressRefused: no model could be opened; the error of the first.
    """
    named = [{"model": job.model, "credential_ref": job.credential_ref}, *job.fallbacks]

    purse = Purse(client, job, seed=lambda: ask_for_seed(job, config))

    def opened(choice: ModelChoice, secret: str | None) -> Provider:
        if choice.provider == "embedded":  # a server of our own, with a queue of its own
            return open_provider(choice, secret=secret, embedder=_embed)
        limits = KeyLimits(
            client,
            choice,
            secret=secret,
            run_id=job.run_id,
            workspace_id=job.workspace_id,
            waiting=lambda: recorder.step("thought", f"Waiting for the rate limit of {choice.model}"),
        )
        return open_provider(choice, secret=secret, wrap=lambda inner: LimitedProvider(inner, limits))

    def candidate(choice: ModelChoice, ref: str | None) -> Candidate:
        async def open_it() -> Provider:
            secret = await fetch_secret(replace(job, credential_ref=ref), config)
            return MeteredProvider(opened(choice, secret), purse=purse, spending=spending)

        return Candidate(choice, open_it)

    async def tell(failed: ModelChoice, error: PyAgentError, following: ModelChoice) -> None:
        title = f"{failed.model} cannot answer; {following.model} is asked instead"
        async with recorder.step("thought", title) as step:
            step.detail |= {"text": str(error), "failed": label_of(failed), "asked": label_of(following)}

    routing = RoutingProvider(
        [candidate(ModelChoice.from_dict(one["model"]), one.get("credential_ref")) for one in named],
        tell=tell,
    )
    await routing.open()
    return routing


def _embed(texts: Sequence[str]) -> list[list[float]]:
    # Imported when used: an agent that embeds nothing does not pay for it.
    from workers.memory.embedding import minilm

    vectors: list[list[float]] = minilm.embed(texts).tolist()
    return vectors


def label_of(choice: ModelChoice | None) -> str:
    """Return how a model is named to people; empty for an agent that needs none."""
    return "" if choice is None else f"{choice.provider}/{choice.model}"
