"""Who may do what in a workspace. Every door of every app asks here first; hidden and absent give the same error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from webapp.errors import Forbidden, NotFound
from webapp.workspaces.models import Membership, Role, Workspace

if TYPE_CHECKING:
    from webapp.accounts.models import User

ORDER = [Role.VIEWER, Role.MEMBER, Role.MAINTAINER, Role.OWNER]


def includes(role: str, needed: str) -> bool:
    """Return whether `role` may do what `needed` may."""
    return ORDER.index(Role(role)) >= ORDER.index(Role(needed))


def _memberships(user: User | AnonymousUser, workspace_id: int) -> QuerySet[Membership]:
    """Return the person's membership of the workspace, if any. A key bound to another workspace makes a stranger."""
    bound_to = getattr(user, "bound_workspace_id", None)
    is_bound_elsewhere = bound_to not in (None, workspace_id)
    is_possible = 0 < workspace_id < 2**63  # larger: no database has it
    if user.pk is None or not user.is_active or is_bound_elsewhere or not is_possible:
        return Membership.objects.none()
    return Membership.objects.filter(workspace_id=workspace_id, user_id=user.pk)


def role_of(user: User | AnonymousUser, workspace_id: int) -> str | None:
    """Return the person's role in the workspace, None for a stranger."""
    return _memberships(user, workspace_id).values_list("role", flat=True).first()


def workspace_for(user: User | AnonymousUser, workspace_id: int, *, role: str = Role.VIEWER) -> Workspace:
    """Return the workspace, for a person who has at least `role` in it; `workspace.role` says which they have.

    Raises:
        NotFound: there is none, or the person is not in it.
        Forbidden: the person is in it with less than `role`.
    """
    membership = _memberships(user, workspace_id).select_related("workspace").first()
    if membership is None:
        raise NotFound("There is no such workspace, or you are not in it.")
    workspace, found = membership.workspace, membership.role
    if not includes(found, role):
        raise Forbidden(f"This needs the role “{role}”; you are {found} here.")
    workspace.role = found  # type: ignore[attr-defined]
    return workspace
