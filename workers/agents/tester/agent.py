"""@tester: writes tests for what it is pointed at, runs them, and says by how much more is covered."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from workers.agents.base import Outcome, RunState
from workers.agents.tester import prompts
from workers.agents.tester.core import Measured, TesterCore
from workers.agents.tester.measuring import MeasureCoverage
from workers.agents.tester.tools import TestFilesOnly
from workers.agents.toolloop import prompts as shared
from workers.agents.toolloop.agent import ToolLoopAgent, model_of
from workers.agents.toolloop.conversation import Turn
from workers.agents.toolloop.overview import read_sources, show_file
from workers.changes.diffs import diff
from workers.changes.errors import ChangeError
from workers.changes.files import WorkspaceFiles
from workers.codehealth.risk import hunk_risk
from workers.providers.types import ToolCall
from workers.tools.base import Toolbox
from workers.tools.commands import facts_of, run_in_sandbox
from workers.tools.editing import EditFile, WriteFile
from workers.tools.finish import Finish
from workers.tools.reading import ListFiles, ReadFile, Search
from workers.tools.testing import RunTests, TestPlan, detect_tests
from workers.tools.text import bound, clean
from workers.tools.writing import delete_file, write_file

MAX_SENT_BACK = 2
MAX_SOURCES_CHARS = 24_000
OUTPUT_CHARS = 3_000
_PLAIN_PYTEST = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


class TesterAgent(ToolLoopAgent):
    """Reads code, writes tests and runs them. What does not pass is not offered."""

    __test__ = False
    name = "tester"
    examples = prompts.EXAMPLES
    core: TesterCore

    def __init__(self) -> None:
        super().__init__()
        self.core = TesterCore()
        self._targets: list[str] = []
        self._sources: dict[str, str] = {}
        self._plan: TestPlan | None = None
        self._before = self._after = Measured(None, frozenset(), {})
        self._measured: dict[str, Measured] = {}
        """What the tests said on each tree."""
        self._sent_back = 0
        self._dropped: list[str] = []

    # --- the beginning -------------------------------------------------------------------------------------------

    async def begin(self, run: RunState) -> None:
        await asyncio.to_thread(self._look, run)
        await super().begin(run)

    def _look(self, run: RunState) -> None:
        files = WorkspaceFiles(run.workplace.files_dir)
        self._sources = dict(read_sources(files, with_tests=False))
        review = run.job.review_of
        changed: list[str] = []
        if review is not None:
            found = diff(run.workplace.repository, review["base_commit"], review["commit"])
            changed = [file.path for file in found]
        self._targets = self.core.targets_of(self.core.goal_of(run.job), self._sources, changed=changed)
        self._plan = detect_tests(files)

    def open_tools(self, run: RunState) -> Toolbox:
        writing = [TestFilesOnly(tool, self.core.may_touch) for tool in (EditFile(), WriteFile())]
        return Toolbox([ListFiles(), ReadFile(), Search(), *writing, RunTests(), Finish()])

    def instructions(self, run: RunState) -> str:
        return prompts.SYSTEM

    async def opening(self, run: RunState) -> str:
        if self._is_python:
            self._before = await self._measure(run, "coverage-before")
        text = self.core.earlier_text(run.job.conversation)
        text += shared.OPENING.format(goal=self.core.goal_of(run.job))
        text += prompts.UNDER_TEST.format(paths=", ".join(self._targets) or "what you find")
        listing = (await ListFiles().call({}, self.context)).text
        text += shared.FILES.format(listing=bound(listing, self.context.output_chars // 3))
        left = min(MAX_SOURCES_CHARS, model_of(run).capabilities().context_tokens)
        shown = []
        for path in self._targets:
            block = show_file(path, self._sources.get(path, ""))
            if len(block) <= left:
                shown.append(block)
                left -= len(block)
        text += prompts.SOURCES.format(sources="\n".join(shown)) if shown else ""
        figures = self.core.missing_text(self._targets, self._before)
        return text + (prompts.COVERED.format(figures=figures) if figures else "")

    @property
    def _is_python(self) -> bool:
        """Whether tests run under pytest, so that coverage.py can measure."""
        has_python = any(path.endswith(".py") for path in self._targets)
        return has_python and (self._plan is None or self._plan.runner in ("pytest", "unittest"))

    @property
    def _env(self) -> Mapping[str, str]:
        return self._plan.env if self._plan is not None else _PLAIN_PYTEST

    async def _measure(self, run: RunState, call_id: str) -> Measured:
        """Run all tests on the files as they are, once for each state of them."""
        detail = self.finished_call(run, call_id)
        if detail is None:
            tool = MeasureCoverage(self.core, self._targets, self._env)
            call = ToolCall(call_id, tool.name, {}, "{}")
            facts = (await self.call_tool(run, Toolbox([tool]), call, self.context)).result.facts
        else:
            facts = detail.get("facts", {})
        return Measured.from_dict(facts.get("measured", {}))

    async def without_model(self, run: RunState) -> Outcome | None:
        return Outcome(answer=shared.TOO_SMALL.format(model=model_of(run).choice.model, work="write tests"))

    # --- the end -------------------------------------------------------------------------------------------------

    async def on_finish(self, run: RunState, turn: Turn, arguments: Mapping[str, Any]) -> Outcome | None:
        """Offer what passes; what does not goes back to the model twice, and is dropped then."""
        problems = await self._problems(run)
        if problems and self._sent_back < MAX_SENT_BACK:
            self._sent_back += 1
            turn.notes.append(prompts.NOT_YET.format(reasons="\n".join(problems)))
            return None
        return await self.outcome(run, str(arguments.get("answer", "")), arguments)

    async def _problems(self, run: RunState) -> list[str]:
        """Return what keeps the tests from being offered, in words for the model; empty when nothing does."""
        changed = await asyncio.to_thread(run.workplace.changed_paths)
        if not changed:
            return [prompts.NOTHING]
        await self._measure_after(run)
        problems = [
            prompts.WEAKENED.format(path=path, reasons=reasons)
            for path, reasons in (await asyncio.to_thread(self._weakened, run, changed)).items()
        ]
        if failing := self.core.new_failures(self._before, self._after):
            output = bound(self._after.output, OUTPUT_CHARS)
            problems.append(prompts.FAILING.format(tests="\n".join(failing[:20]), output=output))
        return problems

    async def _measure_after(self, run: RunState) -> None:
        tree = await asyncio.to_thread(lambda: run.workplace.tree)
        if tree not in self._measured:
            self._measured[tree] = await self._run_all(run, tree)
        self._after = self._measured[tree]

    async def _run_all(self, run: RunState, tree: str) -> Measured:
        if self._is_python:
            return await self._measure(run, f"coverage-{tree[:12]}")
        call = ToolCall(f"tests-{tree[:12]}", "run_tests", {}, "{}")
        result = (await self.call_tool(run, self.toolbox, call, self.context)).result
        failed = frozenset({"the tests"} if result.is_error else ())
        return Measured(None, failed, {}, result.facts.get("exit_code"), result.text)

    def _weakened(self, run: RunState, changed: Sequence[str]) -> dict[str, str]:
        """Return the files that hold fewer tests or assertions than before, or are no tests at all, and why."""
        found: dict[str, str] = {}
        for path in changed:
            before, after = self._was(run, path), self._is(path)
            risk = hunk_risk(path, before, after)
            if not self.core.may_touch(path):
                found[path] = "is no test file"
            elif before is not None and (risk.tests_deleted or risk.asserts_deleted):
                found[path] = f"loses {risk.tests_deleted} tests and {risk.asserts_deleted} assertions"
        return found

    def _was(self, run: RunState, path: str) -> bytes | None:
        try:
            return run.workplace.repository.read_at(run.workplace.base_commit, path)
        except ChangeError:
            return None

    def _is(self, path: str) -> bytes | None:
        try:
            return self.context.files.read(path, max_bytes=4 << 20).data
        except ChangeError:
            return None

    async def outcome(
        self, run: RunState, answer: str, arguments: Mapping[str, Any] | None = None
    ) -> Outcome:
        """Offer what passes, with the figures, and with the tests that show a bug marked as such."""
        await self._drop_what_fails(run)
        changed = await asyncio.to_thread(run.workplace.changed_paths)
        parts = [answer or "Done."]
        if changed:
            bugs = self.core.bugs(self._before, self._after)
            if bugs:
                parts += [self.core.bugs_text(bugs), await self._show_bugs(run, sorted(bugs))]
            reason = "" if self._is_python else "it is measured for Python only"
            parts.append(self.core.figures_text(self._targets, self._before, self._after, reason=reason))
            if still := self.core.old_failures(self._before, self._after):
                parts.append(self.core.old_failures_text(still))
            await self._prove(run, changed)
        if self._dropped:
            parts.append(prompts.DROPPED.format(paths=", ".join(self._dropped)))
        text = "\n\n".join(part for part in parts if part)
        names = ", ".join(PurePosixPath(path).name for path in self._targets[:3]) or "the project"
        return Outcome(
            answer=text,
            title=prompts.TITLE.format(paths=names),
            summary=f"{text}\n\n_{run.spending.describe()}._",
        )

    async def _drop_what_fails(self, run: RunState) -> None:
        """Put files back whose new tests fail, or that lost tests; nobody is offered those."""
        changed = await asyncio.to_thread(run.workplace.changed_paths)
        if not changed:
            return
        await self._measure_after(run)
        failing = self.core.files_of(self.core.new_failures(self._before, self._after))
        bad = set(await asyncio.to_thread(self._weakened, run, changed)) | (failing & set(changed))
        if failing - set(changed):
            bad = set(changed)  # something else breaks by what was written: no part of it can be trusted
        if not bad:
            return
        self._dropped = sorted(bad)
        async with run.recorder.step("tool_call", "Take back what does not pass", is_effect=True) as step:
            await asyncio.to_thread(self._put_back, run, self._dropped)
            step.detail["checkpoint"] = await asyncio.to_thread(run.workplace.checkpoint, step.title)
        if await asyncio.to_thread(run.workplace.changed_paths):
            await self._measure_after(run)

    def _put_back(self, run: RunState, paths: Sequence[str]) -> None:
        for path in paths:
            before = self._was(run, path)
            if before is not None:
                write_file(self.context.files_dir, path, before)
            elif self.context.files.exists(path):
                delete_file(self.context.files_dir, path)

    async def _show_bugs(self, run: RunState, tests: Sequence[str]) -> str:
        """Run the tests that fail on purpose without their mark; return the end of what they say."""
        command = f"python -m pytest -q --tb=short --no-header -p no:cacheprovider --runxfail {shlex.join(tests[:20])}"
        title = f"Show the bugs: {len(tests)} tests that fail on purpose, without their mark"
        async with run.recorder.step("test_run", title, is_effect=True) as step:
            result = await run_in_sandbox(command, self.context, env=self._env)
            output = bound(clean(result.output).strip("\n"), OUTPUT_CHARS)
            step.detail |= facts_of(result) | {
                "command": command,
                "output": output,
                "shows_bugs": list(tests),
            }
            await asyncio.to_thread(run.workplace.restore)
        return f"```\n{output}\n```"

    async def _prove(self, run: RunState, changed: Sequence[str]) -> None:
        """Run the offered files once more by themselves, as evidence of what is offered."""
        if self._is_python:
            run.evidence.clear()
            tests = [path for path in changed if PurePosixPath(path).name != "conftest.py"]
            await self.prove(
                run, ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider"], paths=tests, env=self._env
            )
            await asyncio.to_thread(run.workplace.restore)
