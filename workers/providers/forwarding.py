"""The base of every provider that wraps another: it forwards what its subclass does not change."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from workers.providers.base import Provider, collect
from workers.providers.types import AudioPart, Capabilities, ModelChoice, ModelReply, ModelRequest, StreamItem


class ForwardingProvider:
    """Does all as `inner` does. A whole answer is always a stream that was read to its end, so that a subclass that
    changes `stream` has changed `generate` too."""

    def __init__(self, inner: Provider) -> None:
        self._inner = inner

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._inner!r}>"

    @property
    def choice(self) -> ModelChoice:
        return self._inner.choice

    def capabilities(self) -> Capabilities:
        return self._inner.capabilities()

    async def waits_for(self) -> str:
        return await self._inner.waits_for()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamItem, None]:
        async with aclosing(self._inner.stream(request)) as items:
            async for item in items:
                yield item

    async def generate(self, request: ModelRequest) -> ModelReply:
        return await collect(self.stream(request))

    async def check(self) -> str:
        # A person waits for the test button: say at once what the endpoint says.
        return await self._inner.check()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return await self._inner.embed(texts)

    async def transcribe(self, audio: AudioPart, *, language: str = "") -> str:
        return await self._inner.transcribe(audio, language=language)

    async def speak(self, text: str, *, voice: str = "") -> AudioPart:
        return await self._inner.speak(text, voice=voice)

    async def aclose(self) -> None:
        await self._inner.aclose()
