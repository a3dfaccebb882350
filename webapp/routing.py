"""Addresses of the sockets."""

from __future__ import annotations

from django.urls import path

from webapp.realtime.consumers import WorkspaceSocket
from webapp.realtime.terminal import TerminalSocket

websocket_urlpatterns = [
    path("ws/workspaces/<int:workspace_id>/events", WorkspaceSocket.as_asgi()),
    path("ws/workspaces/<int:workspace_id>/terminal", TerminalSocket.as_asgi()),
]
