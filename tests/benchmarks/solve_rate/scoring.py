"""Decides whether an attempt solved its task: the hidden tests on a copy of what the agent left, in the sandbox."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path

from tests.benchmarks.solve_rate.tasks import RepairTask
from workers.sandbox import Limits, run

LIMITS = Limits(wall_s=60, cpu_s=60)
# Says the secret word only after every test ran: code under test that ends the process early cannot say it.
RUNNER = """
import sys, unittest
word = sys.stdin.read()
result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromName("test_hidden"))
print(word if result.testsRun and result.wasSuccessful() else "not solved")
"""


async def is_solved(files: Path, task: RepairTask) -> tuple[bool, str]:
    """Return whether every hidden test passes on `files`, and what they said. `files` stays as it is."""
    word = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="pyagent-score-") as folder:
        copy = Path(folder) / "files"
        shutil.copytree(files, copy, symlinks=True)
        task.add_hidden_tests(copy)
        command = ["python3", "-B", "-c", RUNNER]
        result = await run(command, files=copy, limits=LIMITS, stdin=word.encode())
    return result.is_ok and word in result.output, result.output.replace(word, "solved")
