"""Notes where a workspace's news stand before a page reads its rows, so that the page's socket misses nothing in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from webapp.events.groups import person_group, workspace_group
from webapp.events.position import read_positions


class EventPositionMiddleware:
    """Sets `request.event_position` and `request.person_position` for whole pages of a workspace; None while Redis is away."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Called once the address is resolved, before the view."""
        workspace_id = kwargs.get("workspace_id")
        is_page = (
            request.method == "GET"
            and not request.headers.get("HX-Request")
            and not request.path.startswith("/api/")
        )
        if workspace_id is None or not is_page or not request.user.is_authenticated:
            return
        request.event_position, request.person_position = read_positions(  # type: ignore[attr-defined]
            workspace_group(int(workspace_id)), person_group(request.user.pk)
        )
