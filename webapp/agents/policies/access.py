"""Who may read and change a workspace's policy, and who may answer when it asks."""

from __future__ import annotations

from uuid import UUID

from webapp.accounts.models import User
from webapp.agents.access import Person, run_for
from webapp.agents.models import Run
from webapp.agents.policies.models import Approval, PolicyVersion
from webapp.errors import Forbidden, NotFound
from webapp.workspaces.access import includes, role_of
from webapp.workspaces.models import Role, Workspace


def version_for(workspace: Workspace, number: int) -> PolicyVersion:
    """Return a version of the policy of a workspace that the person has been let into.

    Raises:
        NotFound: it has none with this number.
    """
    found = (
        PolicyVersion.objects.filter(workspace=workspace, number=number).select_related("saved_by").first()
    )
    if found is None:
        raise NotFound("There is no such version of the policy.")
    return found


def approval_for(user: Person, run_id: str | UUID, step_id: str, *, workspace_id: int) -> Approval:
    """Return what the run asked by this step, for a person who sees the run.

    Raises:
        NotFound: there is none, or the person may not see it.
    """
    run = run_for(user, run_id, workspace_id=workspace_id)
    found = Approval.objects.filter(run=run, step_id=step_id).first()
    if found is None:
        raise NotFound("This step asked for no approval.")
    found.run = run
    return found


def may_decide(user: Person, run: Run, *, needs_maintainer: bool) -> bool:
    """Return whether the person may answer: who called the agent, while still a member, or a maintainer; where the policy
    demands it, only a maintainer."""
    if not isinstance(user, User):
        return False
    role = role_of(user, run.workspace_id)
    if role is None or not includes(role, Role.MEMBER):
        return False
    return includes(role, Role.MAINTAINER) or (not needs_maintainer and run.requested_by_id == user.pk)


def approval_to_decide(user: Person, run_id: str | UUID, step_id: str, *, workspace_id: int) -> Approval:
    """Return what the run asked, for a person who may answer it.

    Raises:
        NotFound: as `approval_for`.
        Forbidden: the person sees it and may not answer.
    """
    found = approval_for(user, run_id, step_id, workspace_id=workspace_id)
    if not may_decide(user, found.run, needs_maintainer=found.needs_maintainer):
        raise Forbidden(who_decides(found))
    return found


def who_decides(approval: Approval) -> str:
    """Return who may answer, for those who may not."""
    who = "a maintainer" if approval.needs_maintainer else "who called the agent, or a maintainer,"
    return f"Only {who} may answer this."
