"""The rate limits of a provider's key, kept by all workers together in Redis, and a provider that keeps to them.

A call takes its place in a queue that is fair between workspaces, waits for room, and gives back what it did not use. When the
provider asks one worker to slow down, all wait that long. A worker that is killed leaves within seconds, by its leases.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from redis.exceptions import RedisError

from workers.errors import ProviderRateLimited, RateLimitTooLong
from workers.providers.base import Provider
from workers.providers.forwarding import ForwardingProvider
from workers.providers.types import AudioPart, Finished, ModelChoice, ModelRequest, StreamItem

if TYPE_CHECKING:
    from redis.asyncio import Redis

PATIENCE_S: Final = 20.0
"""For how long a call waits in its run's slot; a longer wait suspends the run."""
POLL_S: Final = 0.25
ALIVE_S: Final = 5.0
LEASE_S: Final = 30.0
SHOWN_AFTER_S: Final = 0.3
UNTOLD_PAUSE_S: Final = 5.0
"""For a provider that asks to slow down without saying for how long."""
CHARS_PER_TOKEN: Final = 3.2
_SCRIPT: Final = Path(__file__).with_name("limits.lua")
_PARTS: Final = ("counters", "queue", "alive", "needs", "flows", "held", "kept")
Answer = TypeVar("Answer")
Waiting = Callable[[], AbstractAsyncContextManager[Any]]
_AWAY: Final = (RedisError, OSError, TimeoutError)


def key_id(choice: ModelChoice, secret: str | None) -> str:
    """Return the name that all who use this key at this address share; the key cannot be read from it."""
    words = json.dumps([choice.provider, choice.base_url, secret])
    return hashlib.blake2s(words.encode(), digest_size=12).hexdigest()


def count_tokens(request: ModelRequest) -> int:
    """Return a cautious guess of the tokens that a request may use: what is sent, and the longest answer."""
    chars = sum(
        len(message.content)
        + sum(len(call.raw) + len(call.name) for call in message.tool_calls)
        # A picture or a recording counts for its own; 1,000 tokens are a usual price of one.
        + sum(len(getattr(part, "text", "")) or 3200 for part in message.parts)
        for message in request.messages
    )
    chars += sum(len(json.dumps(tool.parameters)) + len(tool.description) for tool in request.tools)
    return round(chars / CHARS_PER_TOKEN) + request.max_output_tokens


@dataclass(slots=True)
class Slot:
    """A call that was let through; set `used_tokens` when they are known."""

    call: str
    need: int
    used_tokens: int | None = None


class KeyLimits:
    """What one run sees of a key's limits.

    Args:
        run_id: Whose calls they are; a run that suspends itself keeps its place under this name.
        workspace_id: Between these the queue is fair.
        waiting: What is shown while a call waits.
    """

    def __init__(
        self,
        client: Redis,
        choice: ModelChoice,
        *,
        secret: str | None,
        run_id: str,
        workspace_id: int,
        waiting: Waiting,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._client = client
        self._keys = [f"pyagent:limits:{key_id(choice, secret)}:{part}" for part in _PARTS]
        self._label = choice.model
        self._limits = [
            choice.requests_per_minute or 0,
            choice.tokens_per_minute or 0,
            choice.max_concurrency or 0,
        ]
        self._run_id, self._flow = run_id, str(workspace_id)
        self._waiting, self._patience_s = waiting, patience_s
        self._in_use: set[int] = set()
        self._script = client.register_script(_SCRIPT.read_text())

    async def _do(
        self, what: Literal["acquire", "release", "renew", "pause", "leave"], *args: Any
    ) -> list[int]:
        found: list[int] = await self._script(keys=self._keys, args=[what, *args])
        return found

    @asynccontextmanager
    async def slot(self, need: int) -> AsyncIterator[Slot]:
        """Wait for room for a call of `need` tokens, and hold it for the block.

        Raises:
            RateLimitTooLong: it would take longer than a run waits; `retry_after_s` says how long about.
        """
        number = next(number for number in count() if number not in self._in_use)
        self._in_use.add(number)
        slot = Slot(f"{self._run_id}:{number}", need)
        try:
            await self._enter(slot)
            renewing = asyncio.create_task(self._renew(slot))
            try:
                yield slot
            finally:
                renewing.cancel()
                await self._quietly("release", slot.call, need - (slot.used_tokens or need))
        finally:
            self._in_use.discard(number)

    async def _enter(self, slot: Slot) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        is_through = is_kept = is_shown = False
        async with AsyncExitStack() as shown:
            try:
                while not is_through:
                    is_through, wait_s = await self._try(slot)
                    waited_s = loop.time() - began
                    if is_through:
                        return
                    if waited_s + wait_s > self._patience_s:
                        is_kept = True
                        raise RateLimitTooLong(
                            f"The rate limit of {self._label} leaves no room for about {max(wait_s, 1):.0f} s.",
                            retry_after_s=round(wait_s, 1),
                        )
                    if not is_shown and max(waited_s, wait_s) >= SHOWN_AFTER_S:
                        is_shown = True
                        await shown.enter_async_context(self._waiting())
                    await asyncio.sleep(min(POLL_S, max(wait_s, 0.02)))
            finally:
                if not is_through:
                    await self._quietly("leave", slot.call, int(is_kept), slot.need)

    async def _try(self, slot: Slot) -> tuple[bool, float]:
        times = (round(ALIVE_S * 1000), round(LEASE_S * 1000))
        asking = asyncio.ensure_future(
            self._do("acquire", slot.call, self._flow, slot.need, *self._limits, *times)
        )
        try:
            answer = await asyncio.shield(asking)
        except asyncio.CancelledError:
            # What was asked may still be granted, and must not come after the farewell.
            await asyncio.wait({asking}, timeout=ALIVE_S)
            raise
        except _AWAY:
            return False, POLL_S  # Redis is away: so is everything else that the run needs
        return bool(answer[0]), answer[1] / 1000

    async def _renew(self, slot: Slot) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            await self._quietly("renew", slot.call, round(LEASE_S * 1000))

    async def pause(self, wait_s: float) -> None:
        """Let every call of this key wait that long."""
        await self._quietly("pause", round(wait_s * 1000))

    async def _quietly(self, what: Literal["release", "renew", "pause", "leave"], *args: Any) -> None:
        try:
            await self._do(what, *args)
        except _AWAY:
            pass  # leases end by themselves


class LimitedProvider(ForwardingProvider):
    """A provider that is asked only when its key's limits allow it."""

    def __init__(self, inner: Provider, limits: KeyLimits) -> None:
        super().__init__(inner)
        self._limits = limits

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamItem, None]:
        async with (
            self._limits.slot(count_tokens(request)) as slot,
            self._heeding(),
            aclosing(self._inner.stream(request)) as items,
        ):
            async for item in items:
                if isinstance(item, Finished) and item.reply.usage is not None:
                    slot.used_tokens = item.reply.usage.input_tokens + item.reply.usage.output_tokens
                yield item

    @asynccontextmanager
    async def _heeding(self) -> AsyncIterator[None]:
        """Let all workers of the key wait when the provider asks one of them to."""
        try:
            yield
        except ProviderRateLimited as error:
            asked_s = error.facts.get("retry_after_s")
            await self._limits.pause(UNTOLD_PAUSE_S if asked_s is None else asked_s)
            raise

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return await self._once(lambda: self._inner.embed(texts), chars=sum(map(len, texts)))

    async def transcribe(self, audio: AudioPart, *, language: str = "") -> str:
        return await self._once(lambda: self._inner.transcribe(audio, language=language), chars=0)

    async def speak(self, text: str, *, voice: str = "") -> AudioPart:
        return await self._once(lambda: self._inner.speak(text, voice=voice), chars=len(text))

    async def _once(self, ask: Callable[[], Awaitable[Answer]], *, chars: int) -> Answer:
        async with self._limits.slot(round(chars / CHARS_PER_TOKEN)), self._heeding():
            return await ask()
