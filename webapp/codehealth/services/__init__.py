"""Writes about code health: audits of commits, the health of the whole workspace, its limits, and long jobs."""

from webapp.codehealth.services.commits import audit_commit
from webapp.codehealth.services.jobs import cancel_job, start_job
from webapp.codehealth.services.limits import set_limits
from webapp.codehealth.services.whole import refresh_paths, refresh_workspace

__all__ = [
    "audit_commit",
    "cancel_job",
    "refresh_paths",
    "refresh_workspace",
    "set_limits",
    "start_job",
]
