"""The tool that runs the project's tests: finds out how, runs them in the sandbox, and counts what passed."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

from workers.changes.errors import ChangeError
from workers.changes.files import WorkspaceFiles
from workers.tools.base import ToolContext, ToolResult, object_schema
from workers.tools.commands import describe_end, facts_of, run_in_sandbox
from workers.tools.errors import ToolError
from workers.tools.reading import normalise_path
from workers.tools.text import bound, clean

_PLUGINS = re.compile(
    r"pytest[-_](?!ini|addopts|plugins\b)[a-z]{3,}|asyncio_mode|\banyio\b|django_settings_module", re.I
)
# What a test run prints may be anything: a line of digits without end is no count, and takes no time to be none.
_COUNT = r"(?<!\d)\d{1,9}"
NO_TESTS_EXIT = 5  # pytest's own code for "nothing collected"


@dataclass(frozen=True, slots=True)
class TestPlan:
    """How a project's tests are run; `target` is appended when given."""

    __test__ = False
    runner: str
    command: str
    env: Mapping[str, str] = field(default_factory=dict)
    part_command: str = ""
    """For one file or folder, where that is another command."""

    def command_for(self, target: str) -> str:
        return f"{self.part_command or self.command} {shlex.quote(target)}" if target else self.command


@dataclass(frozen=True, slots=True)
class TestCounts:
    """What a runner reported; None when its output names no number."""

    __test__ = False
    passed: int | None = None
    failed: int | None = None

    def describe(self) -> str:
        """Return "3 failed, 5 passed", as far as it is known."""
        parts = [
            f"{self.failed} failed" if self.failed else "",
            f"{self.passed} passed" if self.passed else "",
        ]
        return ", ".join(part for part in parts if part) or "no counts in the output"


def detect_tests(files: WorkspaceFiles) -> TestPlan | None:
    """Return how this project runs its tests, or None when there are none to be seen."""
    names = {entry.name for entry in files.list_dir()}
    python = _detect_python(files, names)
    if python is not None:
        return python
    if "package.json" in names and _has_npm_tests(files):
        return TestPlan("npm", "npm test --silent --")
    if "Cargo.toml" in names:
        return TestPlan("cargo", "cargo test --offline --quiet")
    if "go.mod" in names:
        return TestPlan("go", "go test ./...")
    return None


def _detect_python(files: WorkspaceFiles, names: set[str]) -> TestPlan | None:
    env = {"PYTHONPATH": "src"} if "src" in names else {}
    if not any(_PLUGINS.search(_read(files, name)) for name in names if _may_name_plugins(name)):
        # The plugins that pytest finds are those of PyAgent's own Python: no business of a project that names none.
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    pytest = TestPlan("pytest", "python -m pytest -q --tb=short --no-header", env)
    if names & {"pytest.ini", "conftest.py"} or _mentions(files, names, "pyproject.toml", "[tool.pytest"):
        return pytest
    if _mentions(files, names, "setup.cfg", "[tool:pytest]") or _mentions(
        files, names, "tox.ini", "[pytest]"
    ):
        return pytest
    tests = [
        entry.path
        for entry in files.walk(max_depth=6)
        if entry.kind == "file" and (fnmatch(entry.name, "test_*.py") or fnmatch(entry.name, "*_test.py"))
    ]
    if not tests:
        return None
    if (start := _unittest_start(files, tests)) is not None:
        command = f"python -m unittest discover -s {shlex.quote(start)} -t ."
        return TestPlan("unittest", command, env, part_command="python -m unittest")
    return pytest


def _unittest_start(files: WorkspaceFiles, tests: list[str]) -> str | None:
    """The folder to discover from when every test is unittest's own and importable; else pytest finds more."""
    folders = {path.split("/")[0] if "/" in path else "." for path in tests}
    if len(folders) != 1 or not all(_is_unittest(files, path) for path in tests[:20]):
        return None
    start = folders.pop()
    return start if start == "." or files.exists(f"{start}/__init__.py") else None


def _may_name_plugins(name: str) -> bool:
    return name.endswith((".toml", ".cfg", ".ini", ".txt", ".in")) or name in (
        "conftest.py",
        "setup.py",
        "Pipfile",
    )


def _mentions(files: WorkspaceFiles, names: set[str], name: str, words: str) -> bool:
    return name in names and words in _read(files, name)


def _read(files: WorkspaceFiles, path: str) -> str:
    try:
        return files.read(path, max_bytes=1 << 20).data.decode("utf-8", "replace")
    except ChangeError:
        return ""


def _is_unittest(files: WorkspaceFiles, path: str) -> bool:
    source = _read(files, path)
    return (
        bool(re.search(r"^[ \t]*(import|from) unittest", source, re.MULTILINE))
        and "import pytest" not in source
    )


def _has_npm_tests(files: WorkspaceFiles) -> bool:
    try:
        script = json.loads(_read(files, "package.json"))["scripts"]["test"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(script, str) and "no test specified" not in script


def _last(pattern: str, output: str) -> int | None:
    found = re.findall(pattern, output)
    return int(found[-1]) if found else None


def _count_pytest(output: str) -> TestCounts:
    summary = next(
        (
            line
            for line in reversed(output.splitlines())
            if re.search(r"\d (passed|failed|errors?)\b", line.rpartition(" in ")[0])
        ),
        "",
    )
    if not summary:
        return TestCounts()
    errors = _last(rf"({_COUNT}) errors?", summary) or 0
    passed, failed = _last(rf"({_COUNT}) passed", summary), _last(rf"({_COUNT}) failed", summary)
    return TestCounts(passed or 0, (failed or 0) + errors)


def _count_unittest(output: str) -> TestCounts:
    total = _last(rf"Ran ({_COUNT}) tests? in", output)
    if total is None:
        return TestCounts()
    failed = (_last(rf"failures=({_COUNT})", output) or 0) + (_last(rf"errors=({_COUNT})", output) or 0)
    return TestCounts(max(0, total - failed), failed)


def _count_cargo(output: str) -> TestCounts:
    rows = re.findall(rf"test result: \w+\. ({_COUNT}) passed; ({_COUNT}) failed", output)
    if not rows:
        return TestCounts()
    return TestCounts(sum(int(passed) for passed, _ in rows), sum(int(failed) for _, failed in rows))


def _count_go(output: str) -> TestCounts:
    failed = len(re.findall(r"^[ \t]*--- FAIL", output, re.MULTILINE))
    passed = len(re.findall(r"^ok\s", output, re.MULTILINE))
    return TestCounts(passed or None, failed or None)


def _count_npm(output: str) -> TestCounts:
    passed = _last(rf"(?m)^(?:#|ℹ) pass ({_COUNT})", output)
    failed = _last(rf"(?m)^(?:#|ℹ) fail ({_COUNT})", output)
    if passed is None:
        jest = next(iter(re.findall(r"(?m)^Tests:.*$|^[ \t]*Tests\s+.*\)$", output)), output)
        passed, failed = _last(rf"({_COUNT}) pass", jest), _last(rf"({_COUNT}) fail", jest)
    return TestCounts(passed, failed)


_COUNTERS: dict[str, Callable[[str], TestCounts]] = {
    "pytest": _count_pytest,
    "unittest": _count_unittest,
    "cargo": _count_cargo,
    "go": _count_go,
    "npm": _count_npm,
}


def count_tests(runner: str, output: str) -> TestCounts:
    """Return how many tests passed and failed, from what the runner printed."""
    return _COUNTERS[runner](output)


class RunTests:
    name = "run_tests"
    description = "Run the project's tests, or only one file or folder of them, and show what failed."
    parameters = object_schema(
        path={"type": "string", "description": "One test file or folder; empty for all"},
    )
    is_effect = True
    step_kind = "test_run"

    def title(self, arguments: Mapping[str, Any]) -> str:
        return f"Run the tests{' in ' + arguments['path'] if arguments.get('path') else ''}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        plan = await asyncio.to_thread(detect_tests, context.files)
        if plan is None:
            raise ToolError("This project has no tests that I recognise; use run_command to check your work.")
        target = normalise_path(arguments.get("path", ""))
        command = plan.command_for(target)
        result = await run_in_sandbox(command, context, env=plan.env)
        output = clean(result.output).strip("\n")
        counts = count_tests(plan.runner, output)
        has_none = plan.runner == "pytest" and result.exit_code == NO_TESTS_EXIT
        verdict = (
            "There are no tests." if has_none else "The tests pass." if result.is_ok else "The tests fail."
        )
        text = f"{verdict} {counts.describe()}. {describe_end(result, limit_s=context.command_timeout_s)}\n"
        facts = facts_of(result) | {
            "command": command,
            "env": dict(plan.env),
            "passed": counts.passed,
            "failed": counts.failed,
            "is_whole": not target,
        }
        return ToolResult(text + bound(output, context.output_chars), is_error=not result.is_ok, facts=facts)
