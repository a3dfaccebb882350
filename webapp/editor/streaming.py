"""Sending bytes that a program produces while they are sent. Under ASGI, Django would first collect a plain iterator whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import chain


def send_later(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Return the chunks as an asynchronous iterator; the first is read now, so that an error is still an error reply."""
    return _read_on(chain([next(chunks, b"")], chunks))


async def _read_on(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
