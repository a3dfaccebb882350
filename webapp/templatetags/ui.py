"""Template tags that every page has: hashed assets, icons, and small formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import template
from django.template.base import FilterExpression, Parser, Token, Variable
from django.template.context import Context
from django.template.defaulttags import url
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from webapp.bundle import bundle

register = template.Library()


@register.simple_tag
def asset(name: str) -> str:
    """Return the address of a built file, e.g. `{% asset "shell.js" %}`."""
    return static(bundle.file_of(name))


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Return an icon of the sprite; hidden from screen readers unless it has a label."""
    href = f"{asset('icons.svg')}#{name}"
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, href)
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', href)


class _Lasting(template.Node):
    """A tag that says the same on every page, and so is asked once for each build of the front end."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self.shown: tuple[int, str] | None = None

    def render(self, context: Context) -> str:
        build, shown = bundle.changes, self.shown
        if shown is None or shown[0] != build:
            self.shown = shown = (build, self.node.render(context))
        return shown[1]


def _kept(compile_tag: Callable[[Parser, Token], Any]) -> Callable[[Parser, Token], Any]:
    """Return the tag, made once in each place where nothing in it varies; the frame of a page has some thirty of these."""

    def compile_kept(parser: Parser, token: Token) -> Any:
        node = compile_tag(parser, token)
        given = [*node.args, *node.kwargs.values(), getattr(node, "view_name", None)]
        varies = any(
            isinstance(one, FilterExpression)
            and (isinstance(one.var, Variable) or one.filters or ":" in str(one))
            for one in given
        )
        is_stored = getattr(node, "asvar", None) or getattr(node, "target_var", None)
        return node if varies or is_stored else _Lasting(node)

    return compile_kept


for _name in ("asset", "icon"):
    register.tag(_name, _kept(register.tags[_name]))
# Django's own, which would look through all addresses again for every link of every page.
register.tag("url", _kept(url))


@register.filter
def duration(milliseconds: int | None) -> str:
    """Return `850 ms`, `3.2 s` or `4 min 10 s`; nothing for None."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


@register.filter
def usd(cost: float | None) -> str:
    """Return the cost in dollars, or “unknown price”: never 0 for unknown."""
    if cost is None:
        return "unknown price"
    return f"${cost:.4f}" if 0 < cost < 0.01 else f"${cost:.2f}"


@register.filter
def initials(name: Any) -> str:
    """Return up to two letters for an avatar."""
    words = str(name).split()
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def hue(name: Any) -> int:
    """Return a stable hue class number (0–11) for a name."""
    return sum(str(name).encode()) % 12
