"""Start a sandbox, and end it so that nothing of it is left when the call returns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from workers.sandbox.jail import Launch
from workers.sandbox.watch import Watch

T = TypeVar("T")
# Bubblewrap names its first process within milliseconds; on a machine that is all but standing still it may take longer.
REPORT_TRIES, REPORT_PAUSE_S = 1000, 0.01


async def finish_even_if_cancelled(work: Coroutine[Any, Any, T]) -> tuple[T, asyncio.CancelledError | None]:
    """Return what `work` returns and the cancellation that came meanwhile, which the caller raises when it has cleaned up."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:
            break
    return task.result(), cancelled


async def start_sandbox(
    launch: Launch, watch: Watch, *, stdin: int | None, stdout: int | None, stderr: int | None
) -> asyncio.subprocess.Process:
    """Return bubblewrap, started; closes what it has inherited.

    A cancellation is held back until the process is there and can be ended properly: asyncio would kill bubblewrap,
    and the process that bubblewrap has just made, not yet told to die with it, would wait for it for ever.
    """
    start = asyncio.create_subprocess_exec(
        # A session of its own: no terminal of ours, and one process group to end. The empty environment: see `jail`.
        *launch.argv, stdin=stdin, stdout=stdout, stderr=stderr,
        env={}, cwd="/", pass_fds=launch.fds, start_new_session=True,
    )  # fmt: skip
    try:
        process, cancelled = await finish_even_if_cancelled(start)
    finally:
        launch.close()
    if cancelled is not None:
        await finish_even_if_cancelled(_end(process, watch))
        raise cancelled
    return process


async def _end(process: asyncio.subprocess.Process, watch: Watch) -> None:
    await kill_sandbox(process, watch)
    while process.stdout is not None and await process.stdout.read(65536):
        pass
    await process.wait()


async def kill_sandbox(process: asyncio.subprocess.Process, watch: Watch) -> None:
    """Kill the sandbox's first process; when `process`, bubblewrap, has ended after that, nothing is left.

    The kernel lets the first process of a pid namespace be reaped only after all others in it are gone, and
    bubblewrap ends only after reaping it. Killing bubblewrap instead would end the sandbox too
    (--die-with-parent), but somewhat later than we know, and not at all in the moment before that is set up.
    """
    for _ in range(REPORT_TRIES):
        if process.returncode is not None or watch.kill_init():
            return
        await asyncio.sleep(REPORT_PAUSE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
