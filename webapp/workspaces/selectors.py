"""Reads about workspaces."""

from __future__ import annotations

from django.db.models import Count, OuterRef, QuerySet, Subquery

from webapp.accounts.models import Invitation, User
from webapp.workspaces.models import Membership, Role, Workspace


def workspaces_of(user: User) -> QuerySet[Workspace]:
    """Return the workspaces the person is in, by name; a key bound to one sees that one."""
    workspaces = Workspace.objects.filter(memberships__user=user).order_by("name", "pk")
    bound_to = getattr(user, "bound_workspace_id", None)
    return workspaces.filter(pk=bound_to) if bound_to is not None else workspaces


def with_member_counts(workspaces: QuerySet[Workspace]) -> QuerySet[Workspace]:
    """Return the workspaces, each with `member_count`."""
    members = Membership.objects.filter(workspace=OuterRef("pk")).order_by().values("workspace")
    return workspaces.annotate(member_count=Subquery(members.annotate(count=Count("pk")).values("count")))


def members_of(workspace: Workspace) -> QuerySet[Membership]:
    """Return the members with their people, by name."""
    return workspace.memberships.select_related("user").order_by("user__display_name")


def is_only_owner(workspace: Workspace, user: User) -> bool:
    """Return whether nobody else owns the workspace, so that the person cannot leave it."""
    owners = workspace.memberships.filter(role=Role.OWNER).values_list("user_id", flat=True)[:2]
    return list(owners) == [user.pk]


def open_invitations(workspace: Workspace) -> list[Invitation]:
    """Return the invitations that still let somebody in, newest first."""
    return [
        one for one in workspace.invitations.select_related("invited_by").order_by("-pk")[:50] if one.is_open
    ]
