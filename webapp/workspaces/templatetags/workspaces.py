"""The places of a workspace in the rail beside every page."""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from webapp.bundle import bundle
from webapp.templatetags.ui import icon

register = template.Library()


@lru_cache(maxsize=1_000)
def _places(workspace_id: int, build: int) -> list[tuple[str, str]]:
    """Return the address of each place and what its link says, with the icons of this build of the front end."""
    places = [
        ("workspace_files", icon("folder-code"), "Files"),
        ("workspace_git", icon("git-branch"), "Git"),
        ("workspace_agents", icon("bot"), "Agents"),
        ("workspace_runs", icon("activity"), "Runs"),
        ("unattended", icon("calendar-clock"), "Unattended"),
        ("workspace_reviews", icon("git-pull-request-arrow"), "Reviews"),
        ("workspace_fleet", icon("server"), "Fleet"),
        ("workspace_health", icon("heart-pulse"), "Health"),
        ("workspace_lessons", icon("lightbulb"), "Lessons"),
        ("workspace_members", icon("users"), "Members"),
        ("workspace_settings", icon("settings"), "Settings"),
    ]
    return [(reverse(name, args=[workspace_id]), f"{image}{words}") for name, image, words in places]


@register.simple_tag
def place_links(workspace_id: int, path: str) -> SafeString:
    """Return a link to each place, the one marked that the page at `path` belongs to."""
    links = []
    for address, words in _places(workspace_id, bundle.changes):
        # The settings have pages of others below them, such as the models'.
        is_here = path == address if address.endswith("/settings/") else path.startswith(address)
        mark = ' aria-current="page"' if is_here else ""
        links.append(f'<li><a href="{address}"{mark}>{words}</a></li>')
    return mark_safe("".join(links))  # noqa: S308 - addresses of ours and words of ours
