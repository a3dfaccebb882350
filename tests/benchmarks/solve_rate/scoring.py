"""Decides whether an attempt solved its task: the hidden tests on a copy of what the agent left, in the sandbox."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.benchmarks.solve_rate.tasks import RepairTask
from workers.sandbox import Limits, run

HIDDEN_TESTS = "python3 -B -m unittest test_hidden"
LIMITS = Limits(wall_s=60, cpu_s=60)


async def is_solved(files: Path, task: RepairTask) -> tuple[bool, str]:
    """Return whether every hidden test passes on `files`, and what the tests said. `files` stays as it is."""
    with tempfile.TemporaryDirectory(prefix="pyagent-score-") as folder:
        copy = Path(folder) / "files"
        shutil.copytree(files, copy, symlinks=True)
        task.add_hidden_tests(copy)
        result = await run(HIDDEN_TESTS, files=copy, limits=LIMITS)
    # An agent's sitecustomize or an early exit could end it with 0, so the runner's own last word counts too.
    return result.is_ok and result.output.rstrip().endswith("OK"), result.output
