"""What a workspace does not want in its files, and where it stands all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webapp.codehealth.models import PatternRule
from webapp.errors import NotFound
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import repository_of
from workers.changes.paths import from_bytes, to_portable
from workers.codehealth.patterns import Finding, PatternSet, Rule, pattern_set

MAX_FILES = 50_000
MAX_TOLD = 500
"""Findings that are told of a whole workspace."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding and the file that it stands in."""

    path: str
    finding: Finding


def rules_of(workspace: Workspace) -> tuple[Rule, ...]:
    """Return the workspace's own rules, by name."""
    rows = PatternRule.objects.filter(workspace=workspace)
    return tuple(_rule(row.name, row.kind, row.message, row.pattern, row.endings) for row in rows)


def _rule(name: str, kind: str, message: str, pattern: str, endings: list[str]) -> Rule:
    return Rule(id=name, kind=kind, message=message, pattern=pattern, endings=tuple(endings))  # type: ignore[arg-type]


def rule_of(workspace: Workspace, rule_id: int) -> PatternRule:
    """Return a rule of this workspace.

    Raises:
        NotFound: it has none with this number.
    """
    row = PatternRule.objects.filter(workspace=workspace, pk=rule_id).first()
    if row is None:
        raise NotFound("There is no such rule.")
    return row


def stored_rules(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the workspace's own rules as a job carries them."""
    return [rule.to_dict() for rule in rules_of(workspace)]


def patterns_of(workspace: Workspace) -> PatternSet:
    """Return the built-in rules and the workspace's own, compiled."""
    return pattern_set(rules_of(workspace))


def findings_in(workspace: Workspace) -> tuple[list[Found], bool]:
    """Return what stands in the files of the shared checkout that git does not ignore, and whether there is more."""
    repository = repository_of(workspace)
    listed = repository.git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    paths = sorted({from_bytes(name) for name in listed.split(b"\0") if name})[:MAX_FILES]
    scanned = patterns_of(workspace).scan_files(repository.files_dir, paths)
    found = [
        Found(to_portable(path), finding)
        for path, findings in zip(paths, scanned, strict=True)
        for finding in findings or ()
    ]
    order = {"secret": 0, "conflict": 1}
    found.sort(key=lambda one: (order.get(one.finding.kind, 2), one.path, one.finding.line))
    return found[:MAX_TOLD], len(found) > MAX_TOLD
