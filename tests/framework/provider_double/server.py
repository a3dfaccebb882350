"""The double's server: takes connections, lets the script decide, and writes or breaks the answer."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import deque
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tests.framework.provider_double import (
    anthropic_protocol,
    ollama_protocol,
    openai_protocol,
    responses_protocol,
)
from tests.framework.provider_double.script import Asked, BadRequest, Brain, Fault, Say
from tests.framework.provider_double.side_protocols import SIDE_PROTOCOLS, SideProtocol
from tests.framework.provider_double.wire import HttpReply, HttpRequest, read_request

_ALL = (openai_protocol, responses_protocol, anthropic_protocol, ollama_protocol)
PROTOCOLS: dict[str, ModuleType] = {protocol.PATH: protocol for protocol in _ALL}
# The base URL that each provider wants, relative to the server's.
BASE_PATHS = {"openai": "/v1", "responses": "/v1", "embedded": "/v1", "anthropic": "", "ollama": ""}


class ProviderDouble:
    """A scripted model provider on a port of its own.

    Queue replies with `say`, or set `brain`, a function of the request; the queue goes first. `asked` holds
    every well-formed request, `gone` counts clients that left before their answer ended. A request with
    nothing to say to it gets a 500 that says so, and is counted in `unexpected`.
    """

    def __init__(self, brain: Brain | None = None, *, key: str | None = None) -> None:
        self.brain = brain
        self.key = key
        self.asked: list[Asked] = []
        self.refused: list[str] = []
        self.unexpected = 0
        self.gone = 0
        self.port = 0
        self._queue: deque[Say] = deque()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()

    def say(self, *replies: Say | str) -> None:
        """Queue replies; a string is a reply of that text."""
        self._queue.extend(Say(reply) if isinstance(reply, str) else reply for reply in replies)

    def forget(self) -> None:
        """Drop queued replies that nobody has asked for."""
        self._queue.clear()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def base_url(self, provider: str) -> str:
        """Return the base URL to give to the provider with this name."""
        return self.url + BASE_PATHS[provider]

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = await asyncio.start_server(self._connected, host, port, limit=2**24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection at once."""
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def __aenter__(self) -> ProviderDouble:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._answer_watched(request, reader, writer):
                    return
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _answer_watched(
        self, request: HttpRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer, and stop when the client leaves; return whether the connection can be used again."""
        reply = HttpReply(writer)
        answer = asyncio.create_task(self._answer(request, reply))
        watch = asyncio.create_task(
            reader.read(1)
        )  # clients do not pipeline: bytes or their end come after the answer
        try:
            await asyncio.wait({answer, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self.gone += 1
                return False
            try:
                answer.result()
            except ConnectionError:
                self.gone += 1
            return reply.is_whole
        finally:
            for task in (answer, watch):
                task.cancel()
            await asyncio.gather(answer, watch, return_exceptions=True)

    async def _answer(self, request: HttpRequest, reply: HttpReply) -> None:
        path = request.path.partition("?")[0]
        if (side := SIDE_PROTOCOLS.get(path)) is not None:
            await self._answer_beside(side, request, reply)
            return
        protocol = PROTOCOLS.get(path)
        if protocol is None:
            await reply.send_json(404, {"error": {"message": f"no such path {request.path}"}})
            return
        if self.key is not None and protocol.key_of(request.headers) != self.key:
            shown = protocol.key_of(request.headers)
            await reply.send_json(
                401, protocol.error_body(f"Incorrect API key: {shown}", "authentication_error")
            )
            return
        try:
            asked = protocol.read(json.loads(request.body), request.headers)
        except (BadRequest, ValueError, KeyError, TypeError) as error:
            self.refused.append(str(error))
            await reply.send_json(400, protocol.error_body(str(error), "invalid_request_error"))
            return
        self.asked.append(asked)
        say = self._next(asked)
        if say is None:
            self.unexpected += 1
            await reply.send_json(500, protocol.error_body("the script is at its end", "server_error"))
        elif say.fault is not None and say.fault.kind in BEFORE:
            await BEFORE[say.fault.kind](protocol, say.fault, reply)
        elif asked.is_stream:
            await _stream(protocol, asked, say, reply)
        else:
            await reply.send_json(200, protocol.whole(asked, say))

    async def _answer_beside(self, side: SideProtocol, request: HttpRequest, reply: HttpReply) -> None:
        protocol = ollama_protocol if side.protocol == "ollama" else openai_protocol
        try:
            asked = side.read(request.body, request.headers)
            self.asked.append(asked)
            say = self._next(asked) or (None if side.needs_script else Say())
            if say is None:
                self.unexpected += 1
                await reply.send_json(500, protocol.error_body("the script is at its end", "server_error"))
            elif say.fault is not None:
                await BEFORE[say.fault.kind](protocol, say.fault, reply)
            else:
                body, content_type = side.answer(asked, say)
                await reply.send(200, body, {"Content-Type": content_type})
        except (BadRequest, ValueError, KeyError, TypeError) as error:
            self.refused.append(str(error))
            await reply.send_json(400, protocol.error_body(str(error), "invalid_request_error"))

    def _next(self, asked: Asked) -> Say | None:
        if self._queue:
            return self._queue.popleft()
        return self.brain(asked) if self.brain else None


async def _stream(protocol: ModuleType, asked: Asked, say: Say, reply: HttpReply) -> None:
    events = list(protocol.events(asked, say))
    await reply.begin(protocol.CONTENT_TYPE)
    whole = len(events) if say.fault is None else max(1, len(events) // 2)
    for event in events[:whole]:
        if say.token_wait_s and protocol.is_token(event):
            await asyncio.sleep(say.token_wait_s)
        await reply.chunk(event)
    if say.fault is None:
        await reply.end()
        return
    kind = say.fault.kind
    if kind == "cut":
        reply.cut()
    elif kind == "hang_midway":
        await asyncio.Event().wait()
    else:
        extra = {
            "garbage_event": protocol.garbage_event,
            "odd_event": protocol.odd_event,
            "error_event": lambda: protocol.error_event(say.fault.message, say.fault.error_type),
            "unfinished": lambda: b"",
        }[kind]()
        if extra:
            await reply.chunk(extra)
        await reply.end()


async def _http(protocol: ModuleType, fault: Fault, reply: HttpReply) -> None:
    await reply.send_json(fault.status, protocol.error_body(fault.message, fault.error_type), fault.headers)


async def _hang(protocol: ModuleType, fault: Fault, reply: HttpReply) -> None:
    await asyncio.Event().wait()


async def _garbage(protocol: ModuleType, fault: Fault, reply: HttpReply) -> None:
    await reply.send(200, b"\x00\xff<html>It works!</html>\n" * 20, {"Content-Type": protocol.CONTENT_TYPE})


async def _long_line(protocol: ModuleType, fault: Fault, reply: HttpReply) -> None:
    await reply.begin(protocol.CONTENT_TYPE)
    await reply.chunk(b'data: {"x": "')
    for _ in range(fault.size_bytes // 65536):
        await reply.chunk(b"x" * 65536)
    await reply.chunk(b'"}\n\n')
    await reply.end()


async def _redirect(protocol: ModuleType, fault: Fault, reply: HttpReply) -> None:
    await reply.send(307, b"", {"Location": fault.location})


async def _compressed(protocol: ModuleType, fault: Fault, reply: HttpReply) -> None:
    headers = {"Content-Type": protocol.CONTENT_TYPE, "Content-Encoding": "gzip"}
    await reply.send(200, gzip.compress(b"x" * fault.size_bytes), headers)


BEFORE: dict[str, Callable[..., Any]] = {
    "http": _http,
    "hang": _hang,
    "garbage": _garbage,
    "long_line": _long_line,
    "redirect": _redirect,
    "compressed": _compressed,
}
