"""Stands between an agent and the model: adds the key, counts tokens, and refuses more than the budget.

Both agents go through a meter of their own, so that "the same model and token budget" is measured the same
way and does not rest on what either agent says about itself.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.framework.provider_double.wire import HttpReply, HttpRequest, read_request

UPSTREAM_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint and what is known about the model behind it."""

    base_url: str
    model: str
    key: str | None = None
    has_tools: bool = True
    context_tokens: int = 32_768


class Meter:
    """A proxy for one attempt. After `budget_tokens` every further request is answered 403.

    No answer may be longer than `answer_tokens`, whatever the agent asks for: a small model that repeats itself
    would fill its whole context for the agent that names no limit.
    """

    def __init__(self, upstream: Endpoint, *, budget_tokens: int, answer_tokens: int = 4096) -> None:
        self._upstream = upstream
        self._budget_tokens = budget_tokens
        self._answer_tokens = answer_tokens
        self.calls = 0
        self.refused_calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._client = httpx.AsyncClient(timeout=UPSTREAM_TIMEOUT_S)

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def base_url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Meter:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**24)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await read_request(reader)) is not None:
                reply = HttpReply(writer)
                await self._forward(request, reply)
                if not reply.is_whole:
                    return
        except (ConnectionError, asyncio.CancelledError):
            return  # asyncio's server prints a traceback for a handler that ends cancelled, and only we cancel it
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _forward(self, request: HttpRequest, reply: HttpReply) -> None:
        if request.path.partition("?")[0] != "/v1/chat/completions":
            await reply.send_json(404, {"error": {"message": "only chat completions are metered"}})
            return
        if self.tokens >= self._budget_tokens:
            self.refused_calls += 1
            message = "the token budget of this attempt is spent"
            await reply.send_json(403, {"error": {"message": message, "type": "permission_error"}})
            return
        self.calls += 1
        body = json.loads(request.body)
        body["model"] = self._upstream.model
        limit = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
        body[limit] = min(body.get(limit) or self._answer_tokens, self._answer_tokens)
        if body.get("stream"):
            body["stream_options"] = {"include_usage": True}
        headers = {"Authorization": f"Bearer {self._upstream.key}"} if self._upstream.key else {}
        url = f"{self._upstream.base_url.rstrip('/')}/chat/completions"
        try:
            async with self._client.stream("POST", url, json=body, headers=headers) as answer:
                await self._pass_on(answer, body, reply)
        except httpx.HTTPError as error:
            await reply.send_json(502, {"error": {"message": f"upstream: {type(error).__name__}"}})

    async def _pass_on(self, answer: httpx.Response, body: dict[str, Any], reply: HttpReply) -> None:
        if answer.is_success and body.get("stream"):
            await reply.begin("text/event-stream")
            usage: dict[str, Any] | None = None
            size = 0
            async for line in answer.aiter_lines():
                size += len(line)
                usage = _usage_of(line.removeprefix("data:")) or usage
                await reply.chunk(line.encode() + b"\n")
            self._count(usage, body, said_chars=size // 8)
            await reply.end()
            return
        data = await answer.aread()
        if answer.is_success:
            self._count(_usage_of(data.decode(errors="replace")), body, said_chars=len(data))
        await reply.send(answer.status_code, data, {"Content-Type": "application/json"})

    def _count(self, usage: dict[str, Any] | None, body: dict[str, Any], *, said_chars: int) -> None:
        if usage is None:  # an endpoint that does not count is estimated the same way for both agents
            usage = {
                "prompt_tokens": len(json.dumps(body["messages"])) // 4,
                "completion_tokens": said_chars // 4,
            }
        self.input_tokens += int(usage.get("prompt_tokens") or 0)
        self.output_tokens += int(usage.get("completion_tokens") or 0)


def _usage_of(text: str) -> dict[str, Any] | None:
    if '"usage"' not in text:
        return None
    try:
        usage = json.loads(text).get("usage")
    except ValueError:
        return None
    return usage if isinstance(usage, dict) else None
