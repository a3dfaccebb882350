"""Writes about code health: audits of commits, the health of the whole workspace, its limits and rules, long measurements."""

from webapp.codehealth.services.commits import audit_commit
from webapp.codehealth.services.limits import set_limits
from webapp.codehealth.services.measurements import cancel_measurement, start_measurement
from webapp.codehealth.services.rules import add_rule, delete_rule
from webapp.codehealth.services.whole import refresh_paths, refresh_workspace

__all__ = [
    "add_rule",
    "audit_commit",
    "cancel_measurement",
    "delete_rule",
    "refresh_paths",
    "refresh_workspace",
    "set_limits",
    "start_measurement",
]
