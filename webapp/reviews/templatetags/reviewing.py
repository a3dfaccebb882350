"""Template filters of the review pages."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from webapp.reviews.characters import visible_html, visible_text

register = template.Library()


@register.filter
def visible(text: Any) -> SafeString:
    """Return the text escaped, with hidden characters named."""
    return mark_safe(visible_html(str(text)))  # noqa: S308 - escaped by visible_html


@register.filter
def plain(text: Any) -> str:
    """Return the text with hidden characters spelled out, for attributes; Django escapes it."""
    return visible_text(str(text))
