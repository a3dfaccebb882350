"""Only pages of this site may open a socket: the handshake carries cookies, so its Origin is checked like a form's token.

Stricter than Channels' own validator, which lets a handshake without Origin pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

ASGIApplication = Callable[..., Awaitable[None]]


def is_same_origin(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether Origin names our scheme and the very host and port that were asked, and that host is ours."""
    origin = headers.get(b"origin", b"").decode("latin-1")
    host = headers.get(b"host", b"").decode("latin-1").lower()
    parts = urlsplit(origin)
    if (
        parts.scheme != ("https" if settings.IS_HTTPS else "http")
        or not parts.netloc
        or parts.netloc.lower() != host
    ):
        return False
    return validate_host(
        (parts.hostname or "") if ":" not in (parts.hostname or "") else f"[{parts.hostname}]",
        settings.ALLOWED_HOSTS,
    )


class SameOriginOnly:
    """ASGI middleware that closes a socket (403 at the handshake) whose Origin is foreign, `null` or absent."""

    def __init__(self, application: ASGIApplication) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if not is_same_origin(dict(scope["headers"])):
            await receive()
            await send({"type": "websocket.close", "code": 4403})
            return
        await self.application(scope, receive, send)
