"""Template filters of the review pages."""

from __future__ import annotations

import re
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from webapp.markdown import render
from webapp.reviews.characters import visible_html, visible_text
from webapp.reviews.rendering import SHOWN_LINES, hunk_html
from workers.changes.diffs import Hunk

register = template.Library()
# Colours, cursor moves, titles: what a terminal would act on and a page must not show as text.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


@register.filter
def visible(text: Any) -> SafeString:
    """Return the text escaped, with hidden characters named."""
    return mark_safe(visible_html(str(text)))  # noqa: S308 - escaped by visible_html


@register.filter
def markdown(text: Any) -> SafeString:
    """Return the Markdown as HTML, with hidden characters named."""
    return mark_safe(render(str(text)).html)  # noqa: S308 - sanitised by render


@register.filter
def plain(text: Any) -> str:
    """Return the text with hidden characters spelled out, for attributes; Django escapes it."""
    return visible_text(str(text))


@register.filter
def terminal_text(text: Any) -> SafeString:
    """Return what a command wrote: terminal escapes left out, line by line, hidden characters named."""
    lines = _ESCAPES.sub("", str(text)).replace("\r\n", "\n").split("\n")
    # A progress bar writes its line again and again; only the last writing is to be read.
    return mark_safe("\n".join(visible_html(line.rstrip("\r").rpartition("\r")[2]) for line in lines))  # noqa: S308


@register.filter
def plain_hunk(hunk: Hunk) -> SafeString:
    """Return the lines of a hunk that nobody can decide about."""
    return hunk_html(hunk.path, hunk.lines)


@register.filter
def diff_text(hunk: Hunk) -> SafeString:
    """Return the lines of a hunk as a plain diff, for reading only."""
    return mark_safe("\n".join(f"{line.kind}{visible_html(line.text)}" for line in hunk.lines[:SHOWN_LINES]))  # noqa: S308 - escaped by visible_html
