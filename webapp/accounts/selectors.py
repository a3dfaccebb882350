"""Reads about people."""

from __future__ import annotations

from django.db.models import QuerySet

from webapp.accounts.models import ApiKey, User


def keys_of(user: User) -> QuerySet[ApiKey]:
    """Return the person's keys that work, newest first; who asks with a key bound to a workspace sees those of that one."""
    keys = user.api_keys.filter(revoked_at=None).order_by("-pk")
    bound_to = getattr(user, "bound_workspace_id", None)
    return keys if bound_to is None else keys.filter(workspace_id=bound_to)
