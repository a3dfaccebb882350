"""The one door to every model: the protocol, and what all its implementations share.

A provider only translates: a request into its own protocol, and its own stream into deltas. Everything that
must hold for all of them stands here once: time limits on every wait, a reply that counts only when its end
was seen, and errors as the classes of `workers.errors`, free of secrets.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

from workers.errors import NotSupported, ProviderBadReply, ProviderError, ProviderTimeout
from workers.providers import abilities
from workers.providers.abilities import Ability, refuse
from workers.providers.counts import believed
from workers.providers.faults import clean, fault_of
from workers.providers.parts import check_parts
from workers.providers.reply import ReplyBuilder
from workers.providers.stopping import StopReader
from workers.providers.types import (
    AudioPart,
    Capabilities,
    Finished,
    Message,
    ModelChoice,
    ModelReply,
    ModelRequest,
    StreamItem,
    TextDelta,
    ToolCallDelta,
)


class Progress:
    """The model works, but says nothing for us: hidden reasoning. It counts against no silence limit."""


PROGRESS: Final = Progress()
# What reading an answer raises when it is JSON, but not of the protocol.
READING_MISTAKES: Final = (AttributeError, TypeError, KeyError, ValueError)
Delta = TextDelta | ToolCallDelta | Progress
Answer = TypeVar("Answer")
# What a server says that speaks the protocol, but serves no such thing.
_NO_SUCH_SERVICE: Final = (404, 405, 501)


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """How long and how much a reply may be. Keep-alive lines are silence."""

    connect_s: float = 10.0
    first_token_s: float = 120.0
    between_tokens_s: float = 60.0
    total_s: float = 900.0
    reply_bytes: int = 16 * 1024 * 1024


@runtime_checkable
class Provider(Protocol):
    """A model that can be asked."""

    @property
    def choice(self) -> ModelChoice: ...

    def capabilities(self) -> Capabilities:
        """Return what the model can do, without asking it."""
        ...

    async def waits_for(self) -> str:
        """Return what has to happen before the model can be asked at all, in words; "" when it can be asked now."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[StreamItem, None]:
        """Yield the answer as it comes, ending in exactly one `Finished`.

        Leave early by `aclose()` (or cancel the task): the connection is closed at once, so the server
        stops computing.

        Raises:
            ProviderError: the most exact subclass; nothing is yielded after it.
        """
        ...

    async def generate(self, request: ModelRequest) -> ModelReply:
        """Return the whole answer. Raises as `stream` does."""
        ...

    async def check(self) -> str:
        """Ask the model one short thing and return a line that says how it went. Raises as `stream` does."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text, all of one length.

        Raises:
            NotSupported: the model makes none; so for the two below.
            ProviderError: as `stream` does.
        """
        ...

    async def transcribe(self, audio: AudioPart, *, language: str = "") -> str:
        """Return what is said in a recording; `language` (ISO 639-1) helps. Raises as `embed` does."""
        ...

    async def speak(self, text: str, *, voice: str = "") -> AudioPart:
        """Return a recording (MP3) of a text, in the provider's usual voice when none is named. Raises as `embed` does."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


CHECK_REQUEST: Final = ModelRequest(
    messages=(Message("user", "Reply with the word OK."),), max_output_tokens=64
)


async def collect(stream: AsyncGenerator[StreamItem, None]) -> ModelReply:
    """Return the reply at the end of a stream."""
    async with aclosing(stream):
        async for item in stream:
            if isinstance(item, Finished):
                return item.reply
    raise ProviderBadReply("the stream ended without a reply")


async def describe_check(provider: Provider) -> str:
    """Ask `provider` one short thing and return the line that a test button shows."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    reply = await provider.generate(CHECK_REQUEST)
    said = clean(reply.text.strip(), limit=40) or reply.finish_reason
    return f"{reply.model} answered in {loop.time() - started:.1f} s: {said}"


class HttpProvider(ABC):
    """What the providers behind an HTTP API share. Subclasses translate in `_deltas`."""

    default_context_tokens: int = 8192
    default_has_tools: bool = True
    default_has_json_schema: bool = True
    default_has_files: bool = False
    default_limits: ReplyLimits = ReplyLimits()

    @classmethod
    def limits_for(cls, choice: ModelChoice) -> ReplyLimits:
        """Return how long and how much a reply of this choice may be when nobody says otherwise."""
        return cls.default_limits

    def __init__(self, choice: ModelChoice, *, secret: str | None, limits: ReplyLimits) -> None:
        self._choice = choice
        self._secret = secret
        self._limits = limits

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._choice.model}>"

    @property
    def choice(self) -> ModelChoice:
        return self._choice

    def capabilities(self) -> Capabilities:
        choice = self._choice
        has_tools, has_json_schema = choice.has_tools, choice.has_json_schema
        has_vision, has_audio = choice.has_vision, choice.has_audio
        return Capabilities(
            context_tokens=choice.context_tokens or self.default_context_tokens,
            has_tools=self.default_has_tools if has_tools is None else has_tools,
            has_json_schema=self.default_has_json_schema if has_json_schema is None else has_json_schema,
            has_vision=self._sees() if has_vision is None else has_vision,
            has_audio=self._hears() if has_audio is None else has_audio,
            has_files=self.default_has_files,
            price=choice.price,
        )

    def _sees(self) -> bool:
        return abilities.sees(self._choice.model)

    def _hears(self) -> bool:
        return False

    async def waits_for(self) -> str:
        return ""

    @abstractmethod
    def _deltas(self, request: ModelRequest, reply: ReplyBuilder) -> AsyncGenerator[Delta, None]:
        """Yield the pieces of one answer while noting them in `reply`."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connections."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamItem, None]:
        can = self.capabilities()
        check_parts(request.messages, can, model=self._choice.model)
        reply, stop = ReplyBuilder(self._choice.model), StopReader(request.stop)
        async with aclosing(self._deltas(request, reply)) as deltas, aclosing(self._in_time(deltas)) as timed:
            async for delta in timed:
                if isinstance(delta, TextDelta):
                    if text := stop.feed(delta.text):
                        yield TextDelta(text)
                    if stop.has_stopped:
                        break
                elif not isinstance(delta, Progress):
                    yield delta
        if stop.has_stopped:
            reply.cut(stop.said_chars)
        elif text := stop.rest():
            yield TextDelta(text)
        said = reply.build()
        usage = believed(said, request, can=can, provider=self._choice.provider)
        yield Finished(replace(said, usage=usage))

    async def _in_time(self, deltas: AsyncGenerator[Delta, None]) -> AsyncGenerator[Delta, None]:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._limits.total_s
        silence_s, waiting_for = self._limits.first_token_s, "its first token"
        while True:
            wait_s = min(silence_s, ends_at - loop.time())
            try:
                async with asyncio.timeout(wait_s):
                    delta = await anext(deltas)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if wait_s < silence_s:
                    waiting_for, wait_s = "the end of its answer", self._limits.total_s
                raise ProviderTimeout(
                    f"the model gave no sign of {waiting_for} for {wait_s:g} s", waited_s=wait_s
                ) from None
            except Exception as error:
                raise self._fault(error) from None
            yield delta
            silence_s, waiting_for = self._limits.between_tokens_s, "its next token"

    def _fault(self, error: Exception) -> ProviderError:
        return fault_of(error, secret=self._secret)

    async def generate(self, request: ModelRequest) -> ModelReply:
        return await collect(self.stream(request))

    async def check(self) -> str:
        return await describe_check(self)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        refuse("embeddings", model=self._choice.model)

    async def transcribe(self, audio: AudioPart, *, language: str = "") -> str:
        refuse("transcription", model=self._choice.model)

    async def speak(self, text: str, *, voice: str = "") -> AudioPart:
        refuse("speech", model=self._choice.model)

    async def _whole(self, answer: Awaitable[Answer], *, ability: Ability) -> Answer:
        """Return an answer that comes at once, within the time for a first token, its errors named."""
        wait_s = self._limits.first_token_s
        try:
            async with asyncio.timeout(wait_s):
                return await answer
        except TimeoutError:
            raise ProviderTimeout(f"the model gave no answer for {wait_s:g} s", waited_s=wait_s) from None
        except READING_MISTAKES as error:
            fault: ProviderError = self._reading_fault(error)
        except Exception as error:
            fault = self._fault(error)
        if fault.facts.get("status") in _NO_SUCH_SERVICE and not isinstance(fault, NotSupported):
            refuse(ability, model=self._choice.model)
        raise fault

    def _reading_fault(self, error: Exception) -> ProviderError:
        try:
            return self._fault(error)
        except READING_MISTAKES:
            return ProviderBadReply("the provider's answer follows no protocol")


def extra_fields(choice: ModelChoice) -> dict[str, Any] | None:
    """Return the choice's further protocol fields for a client's `extra_body`, or None."""
    return choice.extra or None
