"""Handles: the names people type after `@`. Agents' names are reserved."""

from __future__ import annotations

import re

RESERVED = frozenset(
    {
        "coder",
        "tidy",
        "reviewer",
        "tester",
        "explainer",
        "planner",
        "scribe",
        "all",
        "channel",
        "here",
        "everyone",
        "agent",
        "git",
    }
)


def free_handle(wish: str) -> str:
    """Return a handle near `wish` that nobody has: lower-case letters, digits, `-` and `_`, 2–40 characters."""
    from webapp.accounts.models import User

    base = re.sub(r"[^a-z0-9_-]+", "-", wish.lower()).strip("-_")[:32] or "person"
    base = base if len(base) > 1 else f"{base}-1"
    handle, number = base, 1
    while handle in RESERVED or User.objects.filter(handle=handle).exists():
        number += 1
        handle = f"{base}-{number}"
    return handle
