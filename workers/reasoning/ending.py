"""Ends background tasks for certain.

One `cancel` is not enough: redis-py, seen in 8.1, turns a cancellation that arrives while it sends a command into a
timeout of its own, and a loop that goes on after timeouts would then go on for ever.
"""

from __future__ import annotations

import asyncio

AGAIN_S = 0.05


async def end_tasks(*tasks: asyncio.Task[None], again_s: float = AGAIN_S) -> None:
    """Cancel the tasks, as often as it takes, and wait until they are done."""
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=again_s)
