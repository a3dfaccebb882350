"""What sign-up shows about the invitation that let the visitor in."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from webapp.accounts.services import invitation_in_session


def invitation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `setup_invitation`, looked up only when a template asks for it."""
    return {"setup_invitation": SimpleLazyObject(lambda: invitation_in_session(request))}
