"""What the shell around every page shows: the person's workspaces and where they are now."""

from __future__ import annotations

from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from webapp.workspaces.models import Workspace


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `flashes`, which pages show once, and `my_workspaces`; both are read only when asked for."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"flashes": get_messages(request)}
    return {
        "flashes": get_messages(request),
        "my_workspaces": SimpleLazyObject(
            lambda: list(Workspace.objects.filter(memberships__user=user).order_by("name"))
        ),
    }
