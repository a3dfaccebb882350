"""Reads about audits."""

from __future__ import annotations

from collections.abc import Sequence

from webapp.codehealth.models import Audit
from webapp.workspaces.models import Workspace


def audit_of(workspace: Workspace, commit: str) -> Audit | None:
    """Return the audit of this commit, None when it was not measured (yet)."""
    if not commit:
        return None
    return Audit.objects.filter(workspace=workspace, commit=commit).order_by("-id").first()


def latest_audits(workspace: Workspace, *, limit: int = 50, before: int | None = None) -> Sequence[Audit]:
    """Return audits, newest first, from below the id `before`."""
    rows = Audit.objects.filter(workspace=workspace)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-id")[:limit])
