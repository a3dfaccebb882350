"""What a person or their key may do in the whole installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from webapp.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from webapp.accounts.models import User


def require_scope(request: HttpRequest, scope: str) -> User:
    """Return the person who asks, when their key has `scope`; a page's session may do what the person may.

    Raises:
        Forbidden: the key lacks it.
    """
    user: Any = request.user
    scopes = getattr(user, "key_scopes", None)
    if scopes is not None and scope not in scopes:
        raise Forbidden(f"This key lacks the scope “{scope}”.", scope=scope)
    return user


def require_owner(user: Any) -> User:
    """Return the person, when they own the installation.

    Raises:
        NotFound: they do not; the page does not exist for them.
    """
    if not user.is_authenticated or not user.is_installation_owner:
        raise NotFound()
    return user


def person(request: HttpRequest) -> User:
    """Return the person who asks, where the door has made sure that somebody is signed in."""
    user: Any = request.user
    return user
