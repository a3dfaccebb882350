"""What @tester decides without a model: what is under test, which files it may touch, what coverage and failures say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.agents.tester import prompts
from workers.agents.toolloop.core import ToolLoopCore
from workers.codehealth.sensitive import is_test_path
from workers.tools.text import bound, clean

MAX_TARGETS = 12
MAX_LISTED = 20
MARK = "=== coverage as JSON ==="
_WORD = re.compile(r"[A-Za-z_]\w{2,}")
_DEFINED = re.compile(r"^[ \t]*(?:async def|def|class)\s+(\w+)", re.MULTILINE)
_SUMMARY = "short test summary info"
_OUTCOME = re.compile(r"^(FAILED|ERROR|XFAIL)\s+(\S+?\.py(?:::.+?)?)(?:\s+-\s+(.*))?$", re.MULTILINE)
_STOP_WORDS = "test tests code file files function class module write add for the and with from main"
_STOP = frozenset(_STOP_WORDS.split())


@dataclass(frozen=True, slots=True)
class Covered:
    """The lines of one file that tests reach, and those they do not."""

    executed: int
    missing: tuple[int, ...]

    @property
    def lines(self) -> int:
        return self.executed + len(self.missing)

    @property
    def percent(self) -> int:
        """Rounded down, so that only all is 100."""
        return 100 * self.executed // self.lines if self.lines else 100


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of all tests said. `coverage` by path, None where it could not be measured."""

    coverage: Mapping[str, Covered] | None
    failed: frozenset[str]
    expected: Mapping[str, str]
    """Tests that are marked as expected to fail and did: test id → reason."""
    exit_code: int | None = None
    output: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` reads back."""
        return {
            "coverage": None
            if self.coverage is None
            else {path: [one.executed, list(one.missing)] for path, one in self.coverage.items()},
            "failed": sorted(self.failed),
            "expected": dict(self.expected),
            "exit_code": self.exit_code,
            "output": self.output,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Measured:
        """Return what `to_dict` wrote."""
        coverage = raw.get("coverage")
        return cls(
            None
            if coverage is None
            else {path: Covered(one[0], tuple(one[1])) for path, one in coverage.items()},
            frozenset(raw.get("failed", ())),
            dict(raw.get("expected", {})),
            raw.get("exit_code"),
            str(raw.get("output", "")),
        )


class TesterCore(ToolLoopCore):
    """Plain data in, plain data out."""

    def may_touch(self, path: str) -> bool:
        """Return whether @tester may write this file: tests, and nothing else."""
        return is_test_path(path) and ".." not in path.split("/")

    def targets_of(self, goal: str, sources: Mapping[str, str], *, changed: Sequence[str] = ()) -> list[str]:
        """Return the files under test: those of the change, else those the goal names, by path or by what they define.

        Args:
            sources: Text of each source file by its path.
            changed: Files that the change under test touches.

        Without any of these everything is under test, as far as it is measured at once.
        """
        code = [path for path in sources if not is_test_path(path)]
        found = [path for path in code if path in changed]
        if not found:
            found = [path for path in code if _is_named(path, goal)]
        if not found:
            words = {word for word in _WORD.findall(goal) if word.lower() not in _STOP}
            found = [path for path in code if words & set(_DEFINED.findall(sources[path]))]
        python = [path for path in code if path.endswith(".py")]
        return (found or python or code)[:MAX_TARGETS]

    def read_measurement(self, output: str, *, exit_code: int | None) -> Measured:
        """Return what a run printed: pytest's summary, then `MARK` and coverage.py's report as JSON."""
        said, mark, report = output.rpartition(MARK)
        said = said if mark else output
        # What tests print themselves stands above it.
        summary = clean(said).rpartition(_SUMMARY)[2] if _SUMMARY in said else ""
        outcomes = [match.groups() for match in _OUTCOME.finditer(summary)]
        return Measured(
            coverage=self.parse_coverage(report) if mark else None,
            failed=frozenset(test for kind, test, _ in outcomes if kind != "XFAIL"),
            expected={
                test: reason or "no reason given" for kind, test, reason in outcomes if kind == "XFAIL"
            },
            exit_code=exit_code,
            output=clean(said).strip(),
        )

    def parse_coverage(self, report: str) -> dict[str, Covered] | None:
        """Return coverage.py's JSON report by path; None when it is none."""
        try:
            files = json.loads(report)["files"]
            return {
                path: Covered(len(one["executed_lines"]), tuple(one["missing_lines"]))
                for path, one in files.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def new_failures(self, before: Measured, after: Measured) -> list[str]:
        """Return the tests that fail now and did not before."""
        return sorted(after.failed - before.failed)

    def old_failures(self, before: Measured, after: Measured) -> list[str]:
        """Return the tests that failed before and fail still."""
        return sorted(after.failed & before.failed)

    def bugs(self, before: Measured, after: Measured) -> dict[str, str]:
        """Return the tests that fail on purpose since this run: id → what the code does wrong."""
        return {test: reason for test, reason in after.expected.items() if test not in before.expected}

    def files_of(self, tests: Iterable[str]) -> set[str]:
        """Return the files in which these tests stand."""
        return {test.partition("::")[0] for test in tests}

    def missing_text(self, targets: Sequence[str], measured: Measured) -> str:
        """Return what no test reaches yet, a file a line; empty where it was not measured."""
        coverage = measured.coverage or {}
        return "\n".join(
            prompts.MISSING.format(
                path=path,
                covered=coverage[path].executed,
                lines=coverage[path].lines,
                missing=spans(coverage[path].missing) or "none",
            )
            for path in targets
            if path in coverage
        )

    def figures_text(
        self, targets: Sequence[str], before: Measured, after: Measured, *, reason: str = ""
    ) -> str:
        """Return lines covered before and after of each file under test; where they were not measured, why."""
        was, now = before.coverage, after.coverage
        if was is None or now is None:
            return prompts.NO_FIGURES.format(reason=reason or "coverage.py gave no report")
        lines = [
            prompts.FIGURE.format(
                path=path,
                before=was.get(path, Covered(0, ())).executed,
                after=one.executed,
                lines=one.lines,
                before_percent=was[path].percent if path in was else 0,
                after_percent=one.percent,
            )
            for path, one in sorted(now.items())
            if path in targets
        ]
        if not lines:
            return prompts.NO_FIGURES.format(reason="no file under test is Python")
        return "\n".join([prompts.FIGURES, *lines])

    def bugs_text(self, bugs: Mapping[str, str]) -> str:
        """Return which tests fail on purpose and what they show; empty when none do."""
        if not bugs:
            return ""
        lines = [
            prompts.BUG.format(test=test, reason=bound(reason, 300)) for test, reason in sorted(bugs.items())
        ]
        return "\n".join([prompts.BUGS, *lines[:MAX_LISTED]])

    def old_failures_text(self, tests: Sequence[str]) -> str:
        """Return which tests failed before already."""
        one = len(tests) == 1
        return prompts.OLD_FAILURES.format(
            count=len(tests), s="" if one else "s", v="s" if one else "", tests=", ".join(tests[:MAX_LISTED])
        )


def _is_named(path: str, goal: str) -> bool:
    name = path.rpartition("/")[2]
    return any(re.search(rf"(?<![\w/.-]){re.escape(word)}(?![\w-])", goal) for word in (path, name))


def spans(lines: Sequence[int]) -> str:
    """Return line numbers as people write them: "3, 7–9"."""
    out: list[list[int]] = []
    for line in sorted(lines):
        if out and line == out[-1][1] + 1:
            out[-1][1] = line
        else:
            out.append([line, line])
    shown = [str(first) if first == last else f"{first}–{last}" for first, last in out]
    return ", ".join(shown[:MAX_LISTED]) + (" …" if len(shown) > MAX_LISTED else "")
