"""The double on a loop and a thread of its own, for tests that are plain functions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.framework.provider_double.server import ProviderDouble


@contextmanager
def running_double(*, key: str | None = None) -> Iterator[ProviderDouble]:
    """Give a started double; it answers whoever calls it, in whatever process."""
    double = ProviderDouble(key=key)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(double.start(), loop).result(10)
    try:
        yield double
    finally:
        asyncio.run_coroutine_threadsafe(double.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
