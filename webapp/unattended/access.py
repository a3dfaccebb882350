"""Who sees unattended work and who changes it: everybody in the workspace, and its owner or a maintainer."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser

from webapp.accounts.models import User
from webapp.errors import BIGGEST_ID, Forbidden, NotFound
from webapp.unattended.models import Calling
from webapp.workspaces.access import includes, role_of, workspace_for
from webapp.workspaces.models import Role, Workspace

Person = User | AnonymousUser
Item = TypeVar("Item", bound=Calling)


def item_for(
    model: type[Item], user: Person, workspace_id: int, item_id: int, role: str = Role.VIEWER
) -> Item:
    """Return the schedule, webhook or goal of this workspace, for a person with at least `role` in it.

    Raises:
        NotFound: there is none, or the person is not in the workspace.
        Forbidden: the person is in it with less than `role`.
    """
    workspace = workspace_for(user, workspace_id, role=role)
    rows: Any = model._default_manager.select_related("owner", "channel", "api_key")
    item = rows.filter(workspace=workspace, pk=item_id).first() if item_id <= BIGGEST_ID else None
    if item is None:
        raise NotFound("There is no such thing here.")
    item.workspace = workspace
    return item


def item_to_change(model: type[Item], user: Person, workspace_id: int, item_id: int) -> Item:
    """Return it for a person who may change it. Raises as `item_for`."""
    item = item_for(model, user, workspace_id, item_id, Role.MEMBER)
    if not may_change(user, item.workspace, item):
        raise Forbidden("Only who answers for it, or a maintainer, may change it.")
    return item


def may_change(user: Person, workspace: Workspace, item: Calling) -> bool:
    """Return whether the person whom `workspace_for` let in may change it: its owner while a member, or a maintainer."""
    role: str = workspace.role  # type: ignore[attr-defined]
    is_owner = item.owner_id is not None and item.owner_id == user.pk
    return includes(role, Role.MAINTAINER) or (is_owner and includes(role, Role.MEMBER))


def may_call(owner: User | None, workspace_id: int) -> bool:
    """Return whether the person may still call agents in the workspace, now that something is about to in their name."""
    role = role_of(owner, workspace_id) if owner is not None else None
    return role is not None and includes(role, Role.MEMBER)
