"""Whether a program answers yet."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

ANSWER_S = 2.0


async def answers_ping(socket_path: Path) -> bool:
    """Return whether a Redis-protocol server on `socket_path` is ready (not still loading its file)."""
    return (await _ask(socket_path, b"PING\r\n")).startswith(b"+PONG")


async def shut_down(socket_path: Path) -> bool:
    """End a server that an earlier supervisor has left behind; return whether there was one."""
    if not await answers_ping(socket_path):
        return False
    await _ask(socket_path, b"SHUTDOWN\r\n")
    return True


async def _ask(socket_path: Path, command: bytes) -> bytes:
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(str(socket_path))
            with contextlib.closing(writer):
                writer.write(command)
                return await reader.readline()
    except (OSError, TimeoutError):
        return b""


async def answers_health(host: str, port: int) -> bool:
    """Return whether the pages are served: GET /healthz says 200."""
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(host, port)
            with contextlib.closing(writer):
                writer.write(
                    f"GET /healthz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()
                )
                status = await reader.readline()
    except (OSError, TimeoutError):
        return False
    return status.split()[1:2] == [b"200"]
