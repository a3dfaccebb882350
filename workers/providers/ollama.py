"""Ollama's own chat API over the official client.

Its OpenAI-compatible door exists too, but there the context length cannot be set, and Ollama cuts what does
not fit without a word. Here every request says how much context it needs.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any, Final

import httpx
import ollama

from workers.errors import ProviderBadReply, ProviderRejected
from workers.providers import abilities
from workers.providers.abilities import refuse
from workers.providers.addresses import OLLAMA_URL, GuardedTransport, check_base_url
from workers.providers.base import PROGRESS, READING_MISTAKES, Delta, HttpProvider, ReplyLimits
from workers.providers.parts import as_text, check_vectors
from workers.providers.reply import ReplyBuilder
from workers.providers.types import (
    Capabilities,
    FinishReason,
    ImagePart,
    Message,
    ModelChoice,
    ModelRequest,
    Usage,
)

_FINISH: Final[dict[str, FinishReason]] = {"stop": "stop", "length": "length"}


class OllamaProvider(HttpProvider):
    """A model on an Ollama server."""

    default_context_tokens = 16_384
    # The first request loads the model, which takes minutes from a slow disk.
    default_limits = ReplyLimits(first_token_s=300.0)

    def __init__(
        self, choice: ModelChoice, *, secret: str | None, limits: ReplyLimits, allow_private: bool = True
    ) -> None:
        super().__init__(choice, secret=secret, limits=limits)
        self._client: Any = ollama.AsyncClient(
            host=check_base_url(choice.base_url or OLLAMA_URL, allow_private=allow_private),
            headers={"Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(None, connect=limits.connect_s),
            transport=GuardedTransport(
                httpx,
                auth={"Authorization": f"Bearer {secret}"} if secret else {},
                allow_private=allow_private,
                max_bytes=limits.reply_bytes,
            ),
        )

    async def aclose(self) -> None:
        await self._client.close()

    def capabilities(self) -> Capabilities:
        return replace(super().capabilities(), has_embeddings=abilities.embeds(self._choice.model))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if not texts:
            return []
        asked = self._client.embed(model=self._choice.model, input=list(texts))
        try:
            answer = await self._whole(asked, ability="embeddings")
            vectors = [[float(number) for number in vector] for vector in answer.embeddings]
        except ProviderRejected as error:
            if "does not support" in str(error):
                refuse("embeddings", model=self._choice.model)
            raise
        except (AttributeError, TypeError, ValueError) as error:
            raise ProviderBadReply("the provider's answer holds no embeddings") from error
        return check_vectors(vectors, count=len(texts))

    async def _deltas(self, request: ModelRequest, reply: ReplyBuilder) -> AsyncGenerator[Delta, None]:
        parts = await self._client.chat(**self._body(request))
        try:
            async for part in parts:
                for delta in _read_part(part, reply):
                    yield delta
        except READING_MISTAKES as error:
            raise ProviderBadReply("the provider sent a part that follows no protocol") from error
        finally:
            await parts.aclose()

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        options: dict[str, Any] = {
            "num_ctx": self.capabilities().context_tokens,
            "num_predict": request.max_output_tokens,
            **self._choice.extra,
        }
        if request.temperature is not None:
            options["temperature"] = request.temperature
        if request.stop:
            options["stop"] = list(request.stop)
        body: dict[str, Any] = {
            "model": self._choice.model,
            "messages": _messages(request.messages),
            "stream": True,
            "options": options,
        }
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": tool.parameters,
                    },
                }
                for tool in request.tools
            ]
        if request.response_schema is not None:
            body["format"] = request.response_schema
        return body


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    bodies: list[dict[str, Any]] = []
    for message in messages:
        texts = [message.content, *filter(None, map(as_text, message.parts))]
        body: dict[str, Any] = {"role": message.role, "content": "\n\n".join(filter(None, texts))}
        if images := [part.data for part in message.parts if isinstance(part, ImagePart)]:
            body["images"] = images
        if message.role == "tool":
            body["tool_name"] = names.get(message.tool_call_id or "", "")
        if message.tool_calls:
            body["tool_calls"] = [
                {
                    "function": {
                        "name": call.name,
                        "arguments": {"malformed": call.raw} if call.arguments is None else call.arguments,
                    }
                }
                for call in message.tool_calls
            ]
        bodies.append(body)
    return bodies


def _read_part(part: Any, reply: ReplyBuilder) -> list[Delta]:
    reply.has_begun = True
    reply.model = part.model or reply.model
    deltas: list[Delta] = []
    message = part.message
    if message.thinking:
        deltas.append(PROGRESS)
    if message.content:
        deltas.append(reply.add_text(message.content))
    for call in message.tool_calls or ():
        function = call.function
        # Ollama gives calls no ids and sends each one whole.
        raw = json.dumps(dict(function.arguments), ensure_ascii=False)
        deltas.append(reply.add_call(reply.call_count, id=None, name=function.name, part=raw))
    if part.done:
        if part.prompt_eval_count is not None or part.eval_count is not None:
            reply.usage = Usage(part.prompt_eval_count or 0, part.eval_count or 0)
        reply.finish(_FINISH.get(part.done_reason or "stop", "stop"))
    return deltas
