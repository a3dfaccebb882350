"""Audits of what was committed: each changed file before and after, measured in Rust."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from django.db import transaction

from webapp.codehealth import events
from webapp.codehealth.checking import ChangedFile, changed_files, is_source_change
from webapp.codehealth.models import Audit
from webapp.codehealth.services.measurements import note_commit
from webapp.events.publish import publish_on_commit
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import repository_of
from workers.changes.staging import tree_changes
from workers.codehealth.auditor import CodeHealthAuditor, FunctionDelta
from workers.codehealth.metrics import FileAudit

MAX_FILES = 500
"""Of one commit that are measured; a larger one says how many were left out."""
MAX_DELTAS = 50
MAX_DIAGNOSES = 5


def audit_commit(workspace: Workspace, commit: str, *, cause: str) -> Audit:
    """Return the audit of what `commit` changed against its first parent; told twice for one commit and cause, it is one.

    Raises:
        UnknownRevision: there is no such commit.
        CoreMissing: the Rust core is not built.
    """
    known = Audit.objects.filter(workspace=workspace, commit=commit, cause=cause).first()
    if known is not None:
        return known
    started = time.perf_counter()
    repository = repository_of(workspace)
    parents = repository.log(rev=commit, limit=1)[0].parents
    before = parents[0] if parents else repository.bare.text("mktree", stdin=b"")
    changes = [one for one in tree_changes(repository.bare, before, commit) if is_source_change(one)]
    files = [_report(file) for file in changed_files(repository, changes[:MAX_FILES])]
    duration_ms = int((time.perf_counter() - started) * 1000)
    return _record(
        workspace, commit, cause, files, left_out=max(0, len(changes) - MAX_FILES), duration_ms=duration_ms
    )


def _report(file: ChangedFile) -> dict[str, Any]:
    deltas = CodeHealthAuditor().compare(file.before, file.after)
    new = file.after
    return {
        "path": file.path,
        "maintainability_before": _index(file.before),
        "maintainability_after": _index(new),
        "worst_complexity": new.worst_function.cyclomatic if new is not None and new.worst_function else None,
        "functions": [_delta(delta) for delta in deltas[:MAX_DELTAS]],
        "worse": sum(delta.is_worse for delta in deltas),
        "better": sum(delta.growth < 0 for delta in deltas),
        "diagnoses": [asdict(error) for error in (new.errors if new is not None else ())[:MAX_DIAGNOSES]],
    }


def _index(audit: FileAudit | None) -> float | None:
    if audit is None or audit.maintainability_index is None:
        return None
    return round(audit.maintainability_index, 2)


def _delta(delta: FunctionDelta) -> dict[str, Any]:
    return {"name": delta.qualname[:200], "line": delta.line, "before": delta.before, "after": delta.after}


@transaction.atomic
def _record(
    workspace: Workspace,
    commit: str,
    cause: str,
    files: list[dict[str, Any]],
    *,
    left_out: int,
    duration_ms: int,
) -> Audit:
    worst = [file["worst_complexity"] for file in files if file["worst_complexity"] is not None]
    maintainability = [
        file["maintainability_after"] for file in files if file["maintainability_after"] is not None
    ]
    # Two who audit the same commit at once: the workspace's row lets the second see the first.
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    audit, is_new = Audit.objects.get_or_create(
        workspace=workspace,
        commit=commit,
        cause=cause,
        defaults={
            "files": len(files),
            "worst_complexity": max(worst, default=None),
            "mean_maintainability": round(sum(maintainability) / len(maintainability), 2)
            if maintainability
            else None,
            "report": {"files": files, "left_out": left_out},
            "duration_ms": duration_ms,
        },
    )
    if is_new:
        note_commit(workspace)
        publish_on_commit(
            workspace.pk,
            events.CodeAudited(
                audit_id=audit.pk,
                commit=commit,
                cause=cause,
                files=len(files),
                worse=sum(file["worse"] for file in files),
                better=sum(file["better"] for file in files),
                worst_complexity=audit.worst_complexity,
            ),
        )
    return audit
