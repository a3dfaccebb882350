"""The ASGI application: pages by Django, sockets by Channels behind a session and an Origin check."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

http_application = get_asgi_application()

from webapp.bodies import bound_bodies  # noqa: E402
from webapp.realtime.origin import SameOriginOnly  # noqa: E402
from webapp.routing import websocket_urlpatterns  # noqa: E402

bound_bodies()
application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": SameOriginOnly(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
