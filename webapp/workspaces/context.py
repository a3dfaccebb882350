"""What the shell around every page shows: the person's workspaces and where they are now."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from webapp.workspaces.models import Workspace


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `my_workspaces`, evaluated only when a template asks for it."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {
        "my_workspaces": SimpleLazyObject(
            lambda: list(Workspace.objects.filter(memberships__user=user).order_by("name"))
        )
    }
