"""Which delivery of a ring may run the job.

Celery hands the same message out again when a child was killed, and the web app rings twice when nobody
answers. A stale message must not run: its history and its next number are from before. So the first delivery
under a fence takes a claim; a later one is dropped, and when the first one's process is dead it asks for a
new message with a higher fence.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import orjson
from redis.asyncio import Redis

from workers.events import claim_key

CLAIM_TTL_S = 6 * 3600
"""Longer than the broker can take to hand a message out again."""
SILENT_AFTER_S = 60.0
"""A worker on another machine that has not renewed its claim for so long is taken for dead."""

Claim = Literal["taken", "held", "lost"]


def this_place() -> str:
    """Return where process numbers mean what they mean here: this machine, and in it this namespace of processes.

    Containers may share a name, and never share their processes: a claim from another one is not judged by its number.
    """
    return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"


def claim_value(fence: int) -> bytes:
    """Return who this process is, as the claim of a run under `fence`."""
    pid = os.getpid()
    who = {"host": this_place(), "pid": pid, "started": _started(pid)}
    return orjson.dumps({"fence": fence, "at": time.time(), **who})


async def take_claim(client: Redis, *, run_id: str, fence: int) -> Claim:
    """Claim the run for this process.

    Returns:
        "taken": go on. "held": a live worker has this fence or a higher one. "lost": one had it and is dead.
    """
    if await client.set(claim_key(run_id), claim_value(fence), ex=CLAIM_TTL_S, nx=True):
        return "taken"
    held = orjson.loads(await client.get(claim_key(run_id)) or b"{}")
    if held.get("fence", 0) < fence:
        await client.set(claim_key(run_id), claim_value(fence), ex=CLAIM_TTL_S)
        return "taken"
    if held["host"] == this_place():
        return "held" if is_alive_here(held) else "lost"
    return "held" if time.time() - held["at"] < SILENT_AFTER_S else "lost"


def is_alive_here(claim: Mapping[str, Any]) -> bool:
    """Return whether the process that made this claim runs on this machine."""
    is_here = claim.get("host") == this_place()
    return is_here and _started(claim["pid"]) == claim["started"] is not None


def has_died_here(claim: Mapping[str, Any]) -> bool:
    """Return whether the process that made this claim ran on this machine and runs no more."""
    return claim.get("host") == this_place() and not is_alive_here(claim)


def _started(pid: int) -> str | None:
    """When the process began, in clock ticks since boot; None when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
