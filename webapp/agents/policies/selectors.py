"""Reads about policies and approvals."""

from __future__ import annotations

import difflib
import json
from typing import Any

from django.db.models import QuerySet

from webapp.agents.access import Person
from webapp.agents.models import Run
from webapp.agents.plain import visible
from webapp.agents.policies import access
from webapp.agents.policies.models import Approval, PolicyVersion
from webapp.workspaces.access import role_of
from webapp.workspaces.models import Workspace
from workers.agents.policy.pack import built_in_text

ARGUMENT_CHARS = 4_000


def current_version(workspace: Workspace) -> PolicyVersion | None:
    """Return the version that counts; None while the workspace has not written its own."""
    return PolicyVersion.objects.filter(workspace=workspace).select_related("saved_by").first()


def versions(workspace: Workspace) -> QuerySet[PolicyVersion]:
    """Return all versions, newest first, without their texts."""
    return PolicyVersion.objects.filter(workspace=workspace).select_related("saved_by").defer("text")


def text_before(version: PolicyVersion) -> str:
    """Return the pack that counted before this version."""
    older = PolicyVersion.objects.filter(workspace_id=version.workspace_id, number__lt=version.number).first()
    return older.text if older else built_in_text()


def diff_lines(before: str, after: str) -> list[str]:
    """Return how two packs differ, as a unified diff without its head."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return list(lines)[2:]


def policy_of(run: Run) -> dict[str, Any]:
    """Return what the engine is handed of the policy: the pack, the caller's role now, and what people said to this run."""
    version = current_version(run.workspace)
    role = role_of(run.requested_by, run.workspace_id) if run.requested_by else None
    decided = run.approvals.exclude(verdict="").select_related("decided_by")
    return {
        "text": version.text if version else "",
        "version": version.number if version else 0,
        "origin": run.origin,
        "role": role or "nobody",
        "verdicts": [
            {
                "step_id": approval.step_id,
                "call_hash": approval.call_hash,
                "is_approved": approval.verdict == Approval.Verdict.APPROVED,
                "by": str(approval.decided_by or "somebody"),
                "text": approval.text,
                "note_id": approval.note_id or 0,
            }
            for approval in decided
        ],
    }


def approval_row(approval: Approval) -> dict[str, Any]:
    """Return an approval as pages and the API show it: plain and JSON-safe."""
    return {
        "step_id": approval.step_id,
        "tool": visible(approval.tool, limit=100),
        "arguments": visible(_arguments(approval.arguments), limit=ARGUMENT_CHARS),
        "rule": approval.rule,
        "reason": visible(approval.reason),
        "needs_maintainer": approval.needs_maintainer,
        "asked_at": approval.asked_at.isoformat(),
        "verdict": approval.verdict,
        "decided_by": str(approval.decided_by) if approval.decided_by else "",
        "decided_at": approval.decided_at.isoformat() if approval.decided_at else None,
        "text": approval.text,
    }


def _arguments(arguments: dict[str, Any]) -> str:
    """Return arguments in the form that is read most easily: a command as it is, others as JSON."""
    if list(arguments) == ["command"] and isinstance(arguments["command"], str):
        return arguments["command"]
    return json.dumps(arguments, ensure_ascii=False, indent=2)


def approvals_of(run: Run, *, viewer: Person | None = None) -> list[dict[str, Any]]:
    """Return what the run asked, oldest first; with `viewer`, whether that person may answer now."""
    rows = []
    for approval in run.approvals.select_related("decided_by"):
        is_open = not approval.verdict and not run.is_final
        may = viewer is not None and is_open
        may = may and access.may_decide(viewer, run, needs_maintainer=approval.needs_maintainer)  # type: ignore[arg-type]
        rows.append(approval_row(approval) | {"is_open": is_open, "may_decide": may})
    return rows
