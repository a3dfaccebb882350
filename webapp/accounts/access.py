"""What a person or their key may do in the whole installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from webapp.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from webapp.accounts.models import ApiKey, User


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


def require_whole_person(request: HttpRequest, scope: str) -> User:
    """Return the person who asks with `scope`; a key bound to one workspace does not reach what is theirs beyond it.

    Raises:
        Forbidden: the key lacks the scope, or is bound to a workspace.
    """
    user = require_scope(request, scope)
    if is_bound(user):
        raise Forbidden("This key is bound to one workspace; a person's own affairs are beyond it.")
    return user


def is_bound(user: Any) -> bool:
    """Return whether the person asks with a key that is bound to one workspace."""
    return getattr(user, "bound_workspace_id", None) is not None


def used_key(user: Any) -> ApiKey | None:
    """Return the key with which the person asks; None where they ask themselves, at a page."""
    return getattr(user, "used_key", None)


def owns_installation(user: Any) -> bool:
    """Return whether the person owns the installation and asks with no key that is bound to one workspace."""
    return user.is_authenticated and user.is_installation_owner and not is_bound(user)


def require_owner(user: Any) -> User:
    """Return the person, when they own the installation and ask with no key that is bound to one workspace.

    Raises:
        NotFound: they do not; the page does not exist for them.
    """
    if not owns_installation(user):
        raise NotFound()
    return user


def person(request: HttpRequest) -> User:
    """Return the person who asks, where the door has made sure that somebody is signed in."""
    user: Any = request.user
    return user
