"""@tidy: cleans Python code by ruff's safe fixes and reports the worst functions. No model is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from workers.agents.base import BaseAgent, Outcome, RunState
from workers.agents.mixins.identity import IdentityMixin
from workers.agents.mixins.orchestration import OrchestrationMixin
from workers.agents.tidy.core import Finding, LintConfigInvalid, LintPlan, NothingToTidy, Scope, TidyCore
from workers.changes.errors import ChangeError
from workers.changes.files import WorkspaceFiles
from workers.codehealth.metrics import audit_paths
from workers.sandbox import Limits, Result
from workers.sandbox import run as run_in_sandbox
from workers.tools.text import clean
from workers.tools.writing import write_file

CONFIGS = (
    "pyproject.toml",
    "ruff.toml",
    ".ruff.toml",
    "setup.cfg",
    "setup.py",
    "tox.ini",
    ".isort.cfg",
    ".flake8",
)
LIMITS = Limits(wall_s=120.0, output_bytes=64 * 1024 * 1024)
MAX_SOURCE_BYTES = 1024 * 1024
ARGUMENTS_AT_ONCE = 2000
PYCACHE = {"PYTHONPYCACHEPREFIX": "/tmp/pycache"}  # noqa: S108 - the sandbox's own /tmp, so that no cache is proposed
FIX_STEP = "Apply the safe fixes"


class TidyAgent(IdentityMixin, OrchestrationMixin, BaseAgent):
    """Looks, fixes, measures, proves. Everything but the hand-over is one step."""

    name = "tidy"

    def __init__(self) -> None:
        self.core = TidyCore()

    async def step(self, run: RunState) -> Outcome:
        """Tidy the files that the goal names, or answer a review."""
        left_out, answers = self.core.answer_comments((run.job.revision_of or {}).get("comments", ()))
        scope, plan = await self._look(run, left_out)
        plan, before = await self._lint(run, plan, scope)
        fixed, plan = await self._fix(run, plan, before, left_out)
        changed = [
            path for path in await asyncio.to_thread(run.workplace.changed_paths) if path in scope.paths
        ]
        report = await self._measure(run, scope)
        left = sum(not finding.is_fixable for finding in before)
        summary = self.core.summarise(fixed, changed=len(changed), scope=scope, left=left)
        if left_out:
            summary += f"\nLeft out as asked: {', '.join(f'`{path}`' for path in left_out)}."
        if changed:
            await self._prove(run, plan, changed)
        title = f"Tidy {len(changed)} Python file{'' if len(changed) == 1 else 's'}"
        return Outcome(answer=f"{summary}\n\n{report}", title=title, summary=summary, answers=answers)

    async def _look(self, run: RunState, left_out: Sequence[str]) -> tuple[Scope, LintPlan]:
        async with run.recorder.step("plan", "Choose the files") as step:
            files = WorkspaceFiles(run.workplace.files_dir)
            goal = (run.job.revision_of or {}).get("goal", run.job.goal)
            scope = await asyncio.to_thread(self._choose, files, goal, left_out)
            plan = self.core.plan_lint(await asyncio.to_thread(_read_configs, files))
            step.detail |= {
                "files": len(scope.paths),
                "foreign": scope.foreign,
                "generated": scope.generated[:100],
                "rules": "the project's own ruff configuration"
                if plan.has_own_config
                else " ".join(plan.options),
            }
            return scope, plan

    def _choose(self, files: WorkspaceFiles, goal: str, left_out: Sequence[str]) -> Scope:
        everything = [entry.path for entry in files.walk() if entry.kind == "file"]
        named, missing = self.core.read_paths(goal, known=everything)
        if missing and not named:
            raise NothingToTidy(f"There is no {', '.join(missing)} in this project.", paths=missing)
        chosen, foreign = self.core.choose_files(everything, named=named)
        paths: list[str] = []
        generated: list[str] = []
        for path in chosen:
            try:
                head = files.read(path, max_bytes=MAX_SOURCE_BYTES).data[:1024]
            except ChangeError:  # too large to be written by hand
                generated.append(path)
                continue
            (generated if self.core.is_generated(path, head) else paths).append(path)
        if named and not paths:
            raise NothingToTidy(
                f"{', '.join(named)}: only vendored, built or generated files, which I leave alone.",
                paths=named,
            )
        return Scope([path for path in paths if path not in left_out], foreign, generated, missing)

    async def _lint(self, run: RunState, plan: LintPlan, scope: Scope) -> tuple[LintPlan, list[Finding]]:
        async with run.recorder.step("audit", "Look for lint", is_effect=True) as step:
            findings = await self._findings(run, plan, scope.paths)
            plan, findings = self.core.respect_import_order(plan, findings, files=len(scope.paths))
            by_rule = Counter(finding.code for finding in findings)
            step.detail |= {
                "findings": len(findings),
                "fixable": sum(finding.is_fixable for finding in findings),
                "by_rule": dict(by_rule.most_common(50)),
            }
            return plan, findings

    async def _findings(self, run: RunState, plan: LintPlan, paths: Sequence[str]) -> list[Finding]:
        command = plan.command("--exit-zero", "--output-format=json")
        return [
            finding
            for result in await self._ruff(run, command, paths)
            for finding in self.core.read_findings(result.output)
        ]

    async def _ruff(self, run: RunState, command: list[str], paths: Sequence[str]) -> list[Result]:
        results = []
        for at in range(0, len(paths), ARGUMENTS_AT_ONCE):
            words = [*command, "--", *paths[at : at + ARGUMENTS_AT_ONCE]]
            result = await run_in_sandbox(words, files=run.workplace.files_dir, limits=LIMITS)
            if result.exit_code not in (0, 1):  # 1: something was found
                raise LintConfigInvalid(f"ruff could not run: {clean(result.output).strip()[:600]}")
            results.append(result)
        return results

    async def _fix(
        self, run: RunState, plan: LintPlan, before: list[Finding], left_out: Sequence[str]
    ) -> tuple[dict[str, int], LintPlan]:
        for step in run.history:  # done before this worker took over; the checkpoint holds the files
            if step["title"] == FIX_STEP and step["status"] == "ok":
                detail = step["detail"]
                return dict(detail["fixed"]), replace(plan, kept_imports=tuple(detail["kept_imports"]))
        async with run.recorder.step("tool_call", FIX_STEP, is_effect=True) as live:
            for path in left_out:
                await asyncio.to_thread(_restore, run, path)
            kept = await asyncio.to_thread(self._kept_imports, run, before)
            plan = replace(plan, kept_imports=tuple(kept))
            paths = sorted({finding.path for finding in before if finding.is_fixable})
            await self._ruff(run, plan.command("--fix", "--no-unsafe-fixes", "--exit-zero", "--quiet"), paths)
            after = Counter(finding.code for finding in await self._findings(run, plan, paths))
            was = Counter(finding.code for finding in before if finding.path in set(paths))
            fixed = {code: was[code] - after[code] for code in was if was[code] > after[code]}
            if kept:  # those the second look ignores, and they were not fixed
                ignored = sum(f.code == "F401" and f.path in kept and f.path in paths for f in before)
                fixed["F401"] = fixed.get("F401", 0) - ignored
            fixed = {code: count for code, count in fixed.items() if count > 0}
            commit = await asyncio.to_thread(run.workplace.checkpoint, "Safe fixes by ruff")
            live.detail |= {"fixed": fixed, "kept_imports": kept, "checkpoint": commit}
            return fixed, plan

    def _kept_imports(self, run: RunState, findings: list[Finding]) -> list[str]:
        if not any(finding.code == "F401" for finding in findings):
            return []
        files = WorkspaceFiles(run.workplace.files_dir)
        sources: dict[str, str] = {}
        for entry in files.walk():
            if (
                entry.kind == "file"
                and entry.path.endswith((".py", ".pyi"))
                and entry.size_bytes <= MAX_SOURCE_BYTES
            ):
                sources[entry.path] = files.read(entry.path).data.decode("utf-8", "replace")
        return self.core.imports_to_keep(findings, sources)

    async def _measure(self, run: RunState, scope: Scope) -> str:
        async with run.recorder.step("audit", "Measure the functions") as step:
            root = run.workplace.files_dir
            audits = await asyncio.to_thread(audit_paths, [root / path for path in scope.paths])
            rows = [
                (path, function)
                for path, audit in zip(scope.paths, audits, strict=True)
                for function in audit.functions
            ]
            report = self.core.report_functions(rows)
            step.detail |= {"functions": len(rows), "report": report}
            return report

    async def _prove(self, run: RunState, plan: LintPlan, changed: Sequence[str]) -> None:
        # `--diff` ends with 0 when no safe fix is left, whatever else ruff would complain about.
        await self.prove(run, [*plan.command("--diff", "--quiet", "--no-unsafe-fixes"), "--"], paths=changed)
        await self.prove(run, ["python", "-S", "-m", "compileall", "-q", "-f"], paths=changed, env=PYCACHE)


def _read_configs(files: WorkspaceFiles) -> dict[str, str]:
    found = {}
    for name in CONFIGS:
        try:
            found[name] = files.read(name, max_bytes=MAX_SOURCE_BYTES).data.decode("utf-8", "replace")
        except ChangeError:
            continue
    return found


def _restore(run: RunState, path: str) -> None:
    """Give a file the content that it has at the base."""
    content = run.workplace.repository.read_at(run.workplace.base_commit, path)
    write_file(run.workplace.files_dir, path, content)
