"""Several models in order: the next one is asked when one fails for good before its first token.

Once a word was heard, the failure is the caller's: another model would tell the story twice. A model that failed rests for a
while, so that each question does not pay for its failure again: a refused key for the whole run, anything else for minutes.
What is too long for one model only sends that question on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, TypeVar

from workers.errors import (
    ContextTooLong,
    NotSupported,
    ProviderAuthFailed,
    ProviderError,
    ProviderRateLimited,
    PyAgentError,
    RateLimitTooLong,
    RunSuspends,
)
from workers.providers.base import Provider, collect
from workers.providers.types import (
    AudioPart,
    Capabilities,
    ModelChoice,
    ModelReply,
    ModelRequest,
    StreamItem,
)

REST_S: Final = 300.0
LONGEST_WAIT_S: Final = 3600.0
"""A provider that asks for more than this has no room for the run at all."""
CHARS_PER_TOKEN: Final = 4.0
"""A cautious guess of what surely does not fit."""
Answer = TypeVar("Answer")
Tell = Callable[[ModelChoice, PyAgentError, ModelChoice], Awaitable[None]]


@dataclass(slots=True)
class Candidate:
    """A model that may be asked; `open` fetches its key and connects, when it is first needed."""

    choice: ModelChoice
    open: Callable[[], Awaitable[Provider]]
    provider: Provider | None = None
    rests_until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def opened(self) -> Provider:
        async with self.lock:
            if self.provider is None:
                self.provider = await self.open()
            return self.provider


class RoutingProvider:
    """Asks the first candidate that can answer. Presents itself as the one that answered last.

    Args:
        candidates: In the order of preference; the first is opened.
        tell: Is told which model failed, why, and which one is asked instead.
    """

    def __init__(
        self, candidates: Sequence[Candidate], *, tell: Tell, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._candidates = list(candidates)
        self._tell = tell
        self._clock = clock
        self._active = self._candidates[0]

    def __repr__(self) -> str:
        return f"<routing over {[candidate.choice.model for candidate in self._candidates]}>"

    @property
    def choice(self) -> ModelChoice:
        return self._active.choice

    def capabilities(self) -> Capabilities:
        return self._opened.capabilities()

    @property
    def _opened(self) -> Provider:
        provider = self._active.provider
        if provider is None:
            raise RuntimeError("open the first candidate before asking")
        return provider

    async def open(self) -> None:
        """Open the first candidate that can be opened.

        Raises:
            PyAgentError: none can; the error of the first.
        """
        first: PyAgentError | None = None
        for candidate in self._candidates:
            try:
                await candidate.opened()
            except PyAgentError as error:
                first = first or error
                candidate.rests_until = float("inf")
                continue
            if first is not None:
                await self._tell(self._candidates[0].choice, first, candidate.choice)
            self._active = candidate
            return
        if first is not None:
            raise first

    async def waits_for(self) -> str:
        return await self._opened.waits_for()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamItem, None]:
        failures: list[PyAgentError] = []
        order = self._order()
        for place, candidate in enumerate(order):
            has_spoken = False
            try:
                provider = await self._ready(candidate, request)
                async with aclosing(provider.stream(request)) as items:
                    async for item in items:
                        if not has_spoken:
                            has_spoken, self._active = True, candidate
                        yield item
                return
            except PyAgentError as error:
                if has_spoken or not _goes_on(error):
                    raise
                failures.append(await self._failed(candidate, error, order[place + 1 : place + 2]))
        raise _verdict(failures)

    async def _ready(self, candidate: Candidate, request: ModelRequest) -> Provider:
        provider = await candidate.opened()
        if len(self._candidates) > 1:
            _check_fit(provider, request)
        return provider

    async def _failed(
        self, candidate: Candidate, error: PyAgentError, following: Sequence[Candidate]
    ) -> PyAgentError:
        rest_s = _rest_s(error)
        if rest_s:
            candidate.rests_until = self._clock() + rest_s
        for other in following:
            await self._tell(candidate.choice, error, other.choice)
        return error

    def _order(self) -> list[Candidate]:
        """Return who is asked in which order; one that rests is asked when all others have failed."""
        now = self._clock()
        return sorted(self._candidates, key=lambda candidate: candidate.rests_until > now)

    async def generate(self, request: ModelRequest) -> ModelReply:
        return await collect(self.stream(request))

    async def check(self) -> str:
        return await self._opened.check()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return await self._first(lambda provider: provider.embed(texts))

    async def transcribe(self, audio: AudioPart, *, language: str = "") -> str:
        return await self._first(lambda provider: provider.transcribe(audio, language=language))

    async def speak(self, text: str, *, voice: str = "") -> AudioPart:
        return await self._first(lambda provider: provider.speak(text, voice=voice))

    async def _first(self, ask: Callable[[Provider], Awaitable[Answer]]) -> Answer:
        failures: list[PyAgentError] = []
        order = self._order()
        for place, candidate in enumerate(order):
            try:
                return await ask(await candidate.opened())
            except PyAgentError as error:
                if not _goes_on(error):
                    raise
                failures.append(await self._failed(candidate, error, order[place + 1 : place + 2]))
        raise _verdict(failures)

    async def aclose(self) -> None:
        for candidate in self._candidates:
            if candidate.provider is not None:
                await candidate.provider.aclose()


def _check_fit(provider: Provider, request: ModelRequest) -> None:
    """Refuse a question that a model certainly cannot answer.

    Raises:
        NotSupported: it offers tools, or wants a schema, and the model takes none.
        ContextTooLong: it is longer than the model can read.
    """
    can = provider.capabilities()
    if request.tools and not can.has_tools:
        raise NotSupported(
            f"{provider.choice.model} calls no tools", what="tools", model=provider.choice.model
        )
    if request.response_schema is not None and not can.has_json_schema:
        raise NotSupported(
            f"{provider.choice.model} obeys no schema", what="schema", model=provider.choice.model
        )
    chars = sum(
        len(message.content) + sum(len(call.raw) for call in message.tool_calls)
        for message in request.messages
    )
    if chars / CHARS_PER_TOKEN > can.context_tokens:
        raise ContextTooLong(f"its context of {can.context_tokens:,} tokens is too small")


def _goes_on(error: PyAgentError) -> bool:
    """Return whether another model may do better: not where the run itself is over or out of money."""
    is_unpriced = error.code == "budget_exceeded" and error.facts.get("limit") == "price"
    is_keyless = error.code in ("credential_refused", "credential_unavailable")
    return isinstance(error, ProviderError) or is_unpriced or is_keyless


def _rest_s(error: PyAgentError) -> float:
    if isinstance(error, ContextTooLong | NotSupported):
        return 0.0
    if isinstance(error, ProviderAuthFailed) or error.code == "credential_refused":
        return float("inf")
    if isinstance(error, ProviderRateLimited):
        return float(error.facts.get("retry_after_s") or 30.0)
    return REST_S


def _verdict(failures: Sequence[PyAgentError]) -> Exception:
    """Return what the failures of all models come to. A full bucket fills again, and what is too long can be shortened."""
    if any(map(_is_only_early, failures)):
        return RunSuspends("limit", [])
    return next((failure for failure in failures if isinstance(failure, ContextTooLong)), failures[0])


def _is_only_early(failure: PyAgentError) -> bool:
    """Return whether the model answers later for sure: its key's limit is ours to wait for, or it said when."""
    if not isinstance(failure, ProviderRateLimited):
        return False
    asked_s = failure.facts.get("retry_after_s")
    return isinstance(failure, RateLimitTooLong) or (asked_s is not None and asked_s <= LONGEST_WAIT_S)
