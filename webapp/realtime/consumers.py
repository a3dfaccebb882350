"""The workspace socket."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer


class WorkspaceSocket(AsyncWebsocketConsumer):
    """One JSON socket per tab that carries everything that happens in a workspace."""
