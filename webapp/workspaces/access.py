"""Who may do what in a workspace. Every door of every app asks here first; hidden and absent give the same error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser

from webapp.errors import Forbidden, NotFound
from webapp.workspaces.models import Membership, Role, Workspace

if TYPE_CHECKING:
    from webapp.accounts.models import User

ORDER = [Role.VIEWER, Role.MEMBER, Role.MAINTAINER, Role.OWNER]


def includes(role: str, needed: str) -> bool:
    """Return whether `role` may do what `needed` may."""
    return ORDER.index(Role(role)) >= ORDER.index(Role(needed))


def role_of(user: User | AnonymousUser, workspace_id: int) -> str | None:
    """Return the person's role in the workspace, None for a stranger. A key bound to another workspace makes a stranger."""
    if (
        not user.is_authenticated or not user.is_active or not 0 < workspace_id < 2**63
    ):  # larger: no database has it
        return None
    bound_to = getattr(user, "bound_workspace_id", None)
    if bound_to is not None and bound_to != workspace_id:
        return None
    return (
        Membership.objects.filter(workspace_id=workspace_id, user=user).values_list("role", flat=True).first()
    )


def workspace_for(user: User | AnonymousUser, workspace_id: int, *, role: str = Role.VIEWER) -> Workspace:
    """Return the workspace, for a person who has at least `role` in it; `workspace.role` says which they have.

    Raises:
        NotFound: there is none, or the person is not in it.
        Forbidden: the person is in it with less than `role`.
    """
    found = role_of(user, workspace_id)
    workspace = Workspace.objects.filter(pk=workspace_id).first() if found else None
    if workspace is None or found is None:
        raise NotFound("There is no such workspace, or you are not in it.")
    if not includes(found, role):
        raise Forbidden(f"This needs the role “{role}”; you are {found} here.")
    workspace.role = found  # type: ignore[attr-defined]
    return workspace
