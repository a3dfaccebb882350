"""The operator's commands (`manage.py …`), run one after the other in one process.

Loading the web app takes longer than most commands, and furnishing an installation for a test takes many.
What a command does and prints is the same; `Stack.manage` starts a process for each as an operator does.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Operator:
    """The process, and how to ask it. It ends with the pipe to it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.framework.operator"],
            cwd=ROOT,
            env={**environment, "DJANGO_SETTINGS_MODULE": "webapp.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run a command and return what it prints.

        Raises:
            RuntimeError: it failed; the text is what it wrote on standard error.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"arguments": arguments, "stdin": stdin}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the operator's process ended with {self._process.wait(timeout=10)}")
        answer = json.loads(line)
        if answer["status"]:
            raise RuntimeError(answer["stderr"])
        return str(answer["stdout"]).strip()

    def stop(self) -> None:
        """Close the pipe and wait for the end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=5)


def _run(arguments: list[str], stdin: str) -> dict[str, Any]:
    from django.core.management import execute_from_command_line
    from django.db import connections

    out, err, status = io.StringIO(), io.StringIO(), 0
    asked, sys.stdin = sys.stdin, io.StringIO(stdin)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            execute_from_command_line(["manage.py", *arguments])
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdin = asked
        connections.close_all()
    return {"status": status, "stdout": out.getvalue(), "stderr": err.getvalue()}


if __name__ == "__main__":
    answers = sys.stdout
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(_run(asked["arguments"], asked["stdin"])) + "\n")
        answers.flush()
