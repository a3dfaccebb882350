"""Running all tests under coverage.py, in the sandbox, and keeping nothing that they leave behind."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from workers.agents.tester.core import MARK, TesterCore
from workers.tools.base import ToolContext, ToolResult, object_schema
from workers.tools.commands import describe_end, facts_of, run_in_sandbox
from workers.tools.text import bound

SAID_BYTES = 60_000
"""Of what the tests print its end is enough: the summary stands there."""
# The project's own configuration of coverage.py may leave files out or fail under a limit; the data stays outside of its files.
_RUN = (
    "set -o pipefail; export COVERAGE_FILE=/tmp/pyagent.coverage; "
    "python -m coverage run --rcfile=/dev/null --source=. -m pytest -q --tb=short --no-header -rfEx -p no:cacheprovider 2>&1 "
    "| tail -c {said}; code=$?; echo; echo {mark}; "
    "python -m coverage json --rcfile=/dev/null -q -o /tmp/pyagent.json --include={include} >/dev/null 2>&1 && "
    'python -c \'import json; d = json.load(open("/tmp/pyagent.json")); print(json.dumps({{"files": {{p: '
    '{{k: f[k] for k in ("executed_lines", "missing_lines")}} for p, f in d["files"].items()}}}}))\'; exit $code'
)
SHOWN = "python -m coverage run -m pytest"
_NO_TESTS_EXIT = 5


class MeasureCoverage:
    """The call by which @tester measures; no model is offered it."""

    name = "measure_coverage"
    description = "Run all tests under coverage.py."
    parameters = object_schema()
    is_effect = True
    step_kind = "test_run"

    def __init__(self, core: TesterCore, targets: Sequence[str], env: Mapping[str, str]) -> None:
        self._core, self._targets, self._env = core, targets, env

    def title(self, arguments: Mapping[str, Any]) -> str:
        count = len(self._targets)
        return f"Run the tests and measure what they cover of {count} file{'' if count == 1 else 's'}"

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        include = shlex.quote(",".join(self._targets))
        command = _RUN.format(said=SAID_BYTES, mark=shlex.quote(MARK), include=include)
        result = await run_in_sandbox(command, replace(context, on_line=None), env=self._env)
        measured = self._core.read_measurement(result.output, exit_code=result.exit_code)
        is_ok = result.is_ok or result.exit_code == _NO_TESTS_EXIT
        said = bound(measured.output, context.output_chars)
        facts = facts_of(result) | {
            "command": SHOWN,
            "measured": replace(measured, output=said).to_dict(),
        }
        end = describe_end(result, limit_s=context.command_timeout_s)
        return ToolResult(f"{end}\n{said}", is_error=not is_ok, facts=facts)
