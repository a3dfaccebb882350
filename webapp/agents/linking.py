"""Links in an agent's answer: to a line of a file, a message, a review. Everything else in it stays text.

An agent writes `[calc.py:3](file:calc.py#L3)`, `[Ada](message:12)` or `[Review 4](review:4)`; addresses of this site are made
here, so that an answer can lead nowhere else. `static/js/agents/prose.js` does the same in the browser.
"""

from __future__ import annotations

import re
from html import escape
from urllib.parse import quote, unquote

from django.utils.safestring import SafeString, mark_safe

from webapp.agents.plain import visible

_LINK = re.compile(r"\[([^\[\]\n]{1,200})\]\((file|message|review):([^\s()]{1,2000})\)")
_LINE = re.compile(r"#L(\d{1,7})$")


def answer_html(text: str, workspace_id: int) -> SafeString:
    """Return an agent's answer as text with its links, control and invisible characters as signs."""
    parts, done = [], 0
    shown = visible(text)
    for match in _LINK.finditer(shown):
        words, kind, value = match.groups()
        parts.append(escape(shown[done : match.start()]))
        address = address_of(kind, value, workspace_id)
        parts.append(f'<a href="{escape(address)}">{escape(words)}</a>' if address else escape(match[0]))
        done = match.end()
    parts.append(escape(shown[done:]))
    return mark_safe("".join(parts))  # noqa: S308  every part is escaped


def address_of(kind: str, value: str, workspace_id: int) -> str:
    """Return the address within this site that a link means; empty when it means none."""
    if kind == "file":
        line = _LINE.search(value)
        path = unquote(value[: line.start()] if line else value, errors="replace")
        where = f"&line={line[1]}" if line else ""
        return f"/w/{workspace_id}/files/?path={quote(path, safe='')}{where}"
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        return ""
    return f"/w/{workspace_id}/{'m' if kind == 'message' else 'reviews'}/{value}/"
