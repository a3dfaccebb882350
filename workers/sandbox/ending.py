"""End a sandbox so that nothing of it is left when the call returns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from workers.sandbox.watch import Watch

REPORT_TRIES, REPORT_PAUSE_S = 50, 0.01


async def kill_sandbox(process: asyncio.subprocess.Process, watch: Watch) -> None:
    """Kill the sandbox's first process; when `process`, bubblewrap, has ended after that, nothing is left.

    The kernel lets the first process of a pid namespace be reaped only after all others in it are gone, and
    bubblewrap ends only after reaping it. Killing bubblewrap instead would end the sandbox too
    (--die-with-parent), but somewhat later than we know, and not at all in the moment before that is set up.
    """
    for _ in range(REPORT_TRIES):
        if process.returncode is not None or watch.kill_init():
            break
        await asyncio.sleep(REPORT_PAUSE_S)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
