"""mini-swe-agent as a contestant: its own package in its own environment, its commands in our sandbox.

Its commands come to us over a pipe and run under the same confinement and limits as @coder's, so that
neither agent has more of the machine than the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.solve_rate.contest import COMMAND_TIMEOUT_S, STORY, Budget, Contestant
from tests.benchmarks.solve_rate.metering import Endpoint
from tests.benchmarks.solve_rate.tasks import RepairTask
from workers.sandbox import Limits, run

VERSION = "2.4.6"
# litellm, which it calls models through, imports mcp without asking for it.
PACKAGES = (f"mini-swe-agent=={VERSION}", "mcp>=2.2,<3")
DRIVER = Path(__file__).with_name("mini_driver.py")


def install_mini(folder: Path) -> Path:
    """Make a virtual environment with mini-swe-agent at `folder`, unless it is there; return its Python."""
    python = folder / "bin" / "python"
    stamp = folder / f"mini-swe-agent-{VERSION}.installed"
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(command, check=True)
        stamp.touch()
    return python


def mini(python: Path) -> Contestant:
    """Return the contestant that runs with this Python."""

    async def solve(task: RepairTask, endpoint: Endpoint, budget: Budget, place: Path) -> tuple[Path, str]:
        files = task.lay_out(place / "files")
        settings = {
            "goal": task.goal,
            "base_url": endpoint.base_url,
            "model": endpoint.model,
            "has_tools": endpoint.has_tools,
            "steps": budget.steps,
            "seconds": budget.seconds,
            "story": str(place / STORY),
        }
        with (place / "mini.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                str(python),
                str(DRIVER),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(place),
                limit=2**24,
            )
            try:
                async with asyncio.timeout(budget.seconds + 60):
                    return files, await _talk(process, settings, files)
            except TimeoutError:
                return files, "out of time"
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()

    return solve


async def _talk(process: asyncio.subprocess.Process, settings: dict[str, Any], files: Path) -> str:
    """Run the driver's commands until it says how it ended."""
    assert process.stdin is not None and process.stdout is not None
    await _send(process.stdin, settings)
    while line := await process.stdout.readline():
        message = json.loads(line)
        if "ending" in message:
            return str(message["ending"])
        limits = Limits(wall_s=COMMAND_TIMEOUT_S)
        result = await run(message["command"], files=files, limits=limits)
        answer = {"output": result.output, "exit_code": result.exit_code, "ended_by": result.ended_by}
        await _send(process.stdin, answer)
    return "the driver broke, see mini.log"


async def _send(pipe: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    pipe.write(json.dumps(message).encode() + b"\n")
    await pipe.drain()


def _environment(place: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(place),
        "MSWEA_CONFIGURED": "true",
        "MSWEA_SILENT_STARTUP": "1",
        "MSWEA_GLOBAL_CONFIG_DIR": str(place / "mini"),
        # As often as @coder's provider tries; its own ten tries wait for minutes.
        "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "4",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
