"""A provider whose calls are paid for in advance: the worst case is reserved, and what it really cost takes its place."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from workers.agents.budget import Spending
from workers.agents.purse import Purse, Reservation
from workers.providers.base import Provider
from workers.providers.forwarding import ForwardingProvider
from workers.providers.limiting import CHARS_PER_TOKEN, count_tokens
from workers.providers.types import (
    AudioPart,
    Finished,
    ModelRequest,
    Price,
    StreamItem,
    TextDelta,
    ToolCallDelta,
    Usage,
    cost_usd,
)


class MeteredProvider(ForwardingProvider):
    """Asks only when the run, the workspace and the person can pay for the longest answer."""

    def __init__(self, inner: Provider, *, purse: Purse, spending: Spending) -> None:
        super().__init__(inner)
        self._purse, self._spending = purse, spending

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamItem, None]:
        sent_tokens = count_tokens(request) - request.max_output_tokens
        worst = self._worst(sent_tokens, request.max_output_tokens)
        said_chars = 0
        price = self.capabilities().price
        with self._spending.reserved(tokens=worst.tokens, cost_usd=worst.cost_usd):
            async with (
                self._purse.reserve(worst, model=self.choice.model) as paid,
                aclosing(self._inner.stream(request)) as items,
            ):
                async for item in items:
                    if isinstance(item, TextDelta):
                        said_chars += len(item.text)
                    elif isinstance(item, ToolCallDelta):
                        said_chars += len(item.arguments_part)
                    # Kept up to date: a stream may break off, or its listener leave, after any piece.
                    used = Usage(sent_tokens, round(said_chars / CHARS_PER_TOKEN))
                    if isinstance(item, Finished):
                        used = item.reply.usage or used
                    paid.used_tokens = used.input_tokens + used.output_tokens
                    paid.used_usd = cost_usd(used, price)
                    yield item

    def _worst(self, sent_tokens: int, answer_tokens: int) -> Reservation:
        price = self.capabilities().price
        used = Usage(
            sent_tokens, answer_tokens, cache_write_tokens=sent_tokens if _writes_dearly(price) else 0
        )
        return Reservation(tokens=sent_tokens + answer_tokens, cost_usd=cost_usd(used, price))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        worst = self._worst(round(sum(map(len, texts)) / CHARS_PER_TOKEN), 0)
        async with self._purse.reserve(worst, model=self.choice.model) as paid:
            vectors = await self._inner.embed(texts)
            paid.used_tokens, paid.used_usd = worst.tokens, worst.cost_usd
            return vectors

    async def transcribe(self, audio: AudioPart, *, language: str = "") -> str:
        # Sold by the minute, not by the token: a budget in dollars has no price for it.
        async with self._purse.reserve(Reservation(0, None), model=self.choice.model):
            return await self._inner.transcribe(audio, language=language)

    async def speak(self, text: str, *, voice: str = "") -> AudioPart:
        async with self._purse.reserve(Reservation(0, None), model=self.choice.model):
            return await self._inner.speak(text, voice=voice)


def _writes_dearly(price: Price | None) -> bool:
    """Return whether what is sent may cost more than its input price, since the provider keeps it for the next turn."""
    return (
        price is not None
        and price.cache_write_usd_per_mtok is not None
        and price.cache_write_usd_per_mtok > price.input_usd_per_mtok
    )
