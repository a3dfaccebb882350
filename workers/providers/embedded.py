"""The model that ships with PyAgent, served by `workers.inference.server` over the OpenAI protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import httpx

from workers.config import get_config
from workers.providers.base import ReplyLimits
from workers.providers.openai_compatible import OpenAICompatibleProvider
from workers.providers.types import Capabilities, ModelChoice, Price

Embedder = Callable[[Sequence[str]], list[list[float]]]
ModelState = Literal["ready", "loading", "away"]
HEALTH_TIMEOUT_S = 2.0
FREE = Price(0.0, 0.0)
_WAITS: dict[ModelState, str] = {
    "ready": "",
    "loading": "the embedded model is being loaded",
    "away": "the embedded model's server is starting",
}


class EmbeddedProvider(OpenAICompatibleProvider):
    """SmolLM2-135M. It cannot choose tools (2 of 10 right), but its output can be held to a schema."""

    # On a busy machine a full context is read slowly, and a second conversation shares the processor.
    default_limits = ReplyLimits(first_token_s=300.0)

    @classmethod
    def limits_for(cls, choice: ModelChoice) -> ReplyLimits:
        return cls.default_limits

    def __init__(
        self,
        choice: ModelChoice,
        *,
        secret: str | None,
        limits: ReplyLimits,
        allow_private: bool = True,
        embedder: Embedder | None = None,
    ) -> None:
        # The operator says where the model server is, so neither the choice's URL nor the private-address
        # rule applies.
        embedded = replace(choice, base_url=get_config().model_url, price=FREE)
        super().__init__(embedded, secret=None, limits=limits, allow_private=True)
        self._embedder = embedder

    def capabilities(self) -> Capabilities:
        return Capabilities(
            context_tokens=get_config().model_context_tokens,
            has_tools=False,
            has_json_schema=True,
            has_vision=False,
            price=FREE,
            has_embeddings=self._embedder is not None,
        )

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return vectors of the packaged embedding model; without one, llama.cpp is asked."""
        if self._embedder is None:
            return await super().embed(texts)
        return await asyncio.to_thread(self._embedder, texts)

    async def waits_for(self) -> str:
        return _WAITS[await model_state(get_config().model_url)]


async def model_state(model_url: str) -> ModelState:
    """Return whether the model server at this base URL answers; "away" when nobody does."""
    async with httpx.AsyncClient(trust_env=False, timeout=HEALTH_TIMEOUT_S) as client:
        try:
            reply = await client.get(f"{model_url.removesuffix('/v1')}/health")
        except httpx.HTTPError:
            return "away"
    return "ready" if reply.is_success else "loading"
