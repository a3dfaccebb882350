"""What chat does when something happens elsewhere. Loaded when Django starts."""

from __future__ import annotations

from typing import Any

from webapp.chat import services
from webapp.chat.services import calling
from webapp.events.registry import on_run_queued, on_workspace_created


@on_workspace_created
def furnish_workspace(workspace: Any) -> None:
    """A new workspace gets its first channel."""
    services.furnish(workspace)


@on_run_queued
def show_card(run: Any) -> None:
    """A run gets its card in a channel."""
    calling.post_card(run)
