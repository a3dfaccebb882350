"""The limits that a workspace sets on the health of its code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from webapp.codehealth import events
from webapp.codehealth.models import Limits
from webapp.errors import Invalid
from webapp.events.publish import publish_on_commit
from webapp.workspaces.models import Workspace

if TYPE_CHECKING:
    from webapp.accounts.models import User

MAX_COMPLEXITY = 10_000


@transaction.atomic
def set_limits(
    *,
    workspace: Workspace,
    set_by: User,
    max_cyclomatic: int | None,
    max_cognitive: int | None,
    min_maintainability: float | None,
    no_worse: bool,
    is_required: bool,
) -> Limits:
    """Return the workspace's limits as they are now; None switches one off.

    Raises:
        Invalid: a limit that no code could keep or break.
    """
    for name, limit in (("max_cyclomatic", max_cyclomatic), ("max_cognitive", max_cognitive)):
        if limit is not None and not 1 <= limit <= MAX_COMPLEXITY:
            raise Invalid(f"A complexity limit lies between 1 and {MAX_COMPLEXITY:,}.", field=name)
    if min_maintainability is not None and not 0 <= min_maintainability <= 100:
        raise Invalid("Maintainability lies between 0 and 100.", field="min_maintainability")
    limits, _ = Limits.objects.update_or_create(
        workspace=workspace,
        defaults={
            "max_cyclomatic": max_cyclomatic,
            "max_cognitive": max_cognitive,
            "min_maintainability": min_maintainability,
            "no_worse": no_worse,
            "is_required": is_required,
        },
    )
    publish_on_commit(workspace.pk, events.HealthLimitsChanged(by=set_by.display_name))
    return limits
