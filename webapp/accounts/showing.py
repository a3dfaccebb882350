"""Secrets that the next page shows once: between the two they wait in the session, whose rows get only their sealed form."""

from __future__ import annotations

from django.http import HttpRequest

from webapp.vault import SecretUnreadable, seal, unseal


def keep_to_show(request: HttpRequest, name: str, secret: str) -> None:
    """Keep a secret for the next page of this session."""
    request.session[name] = seal(secret).decode()


def take_to_show(request: HttpRequest, name: str) -> str | None:
    """Return the secret that was kept, and forget it; None when there is none."""
    sealed = request.session.pop(name, None)
    try:
        return unseal(sealed.encode()) if sealed else None
    except SecretUnreadable:  # the vault's key was changed in between
        return None
