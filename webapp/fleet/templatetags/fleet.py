"""What the fleet's templates need: how long something lasts, and memory in words."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


def _age(seconds: float) -> str:
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
    return f"{int(seconds // 86400)} d {int(seconds % 86400 // 3600)} h"


@register.filter
def age(since: datetime | None) -> SafeString | str:
    """Return for how long it lasts already, with the moment beside it for programs and pointers; nothing for None."""
    if since is None:
        return ""
    words = _age(max(0.0, (timezone.now() - since).total_seconds()))
    # Marked, so that the page's script does not write a date in its place.
    return format_html(
        '<time datetime="{0}" title="since {0}" data-is-local>{1}</time>',
        since.isoformat("T", "seconds"),
        words,
    )


@register.filter
def gigabytes(megabytes: int) -> str:
    """Return the memory in GB with one digit."""
    return f"{megabytes / 1024:.1f} GB"


@register.filter
def used_mb(device: object) -> int:
    """Return what of a GPU's memory is taken."""
    return max(0, device.total_mb - device.free_mb)  # type: ignore[attr-defined]


@register.filter
def plain_number(number: float) -> str:
    """Return a weight as a form takes it: with a point, and without digits that say nothing."""
    return f"{number:g}"
