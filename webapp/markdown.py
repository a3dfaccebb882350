"""The Markdown of messages, remarks and summaries as safe HTML.

Three fences stand behind each other: the parser never passes HTML through, what it makes is sanitised by an allow-list, and
the page's Content-Security-Policy runs no inline script. Rendering stops at a deadline and falls back to plain text, so that
no message can keep a thread busy.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from webapp.colouring import may_colour
from webapp.hidden import replace_hidden, show_hidden

MAX_CHARS = 20_000
DEADLINE_S = 0.5
# A fence longer than this is shown without colours; the deadline would cut most of them anyway.
MAX_COLOURED_CHARS = 8_000
MENTION = re.compile(r"(?<![\w@/.-])@([a-z0-9][a-z0-9_-]{0,39})", re.IGNORECASE)
_LINE = re.compile(r"[^\n]*\n?")
# What static/css/code.css colours; other kinds of token are left as they are.
_CLASS_NAMES = (
    "k kc kd kn kp kr ow kt nc nn ne bp nb s sa sb sc dl sd s1 s2 se sh si sx sr ss m mb mf mh mi mo il "
    "c ch cm cp cpf c1 cs nf fm nd nt na gd gi gh gu"
)
_CLASSES = set(_CLASS_NAMES.split())
MAX_HTML_CHARS = 150_000
_HAS_WORDS = re.compile(r">[^<\s]|^[^<\s]|<hr")
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "span",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


class _TooLate(Exception):
    """The deadline has passed."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The HTML, and whom it names outside of code, in order, in lower case."""

    html: str
    people: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()


@dataclass(slots=True)
class _Work:
    """What one rendering carries along."""

    people: Mapping[str, str]
    agents: frozenset[str]
    deadline: float
    clock: Callable[[], float]
    named_people: list[str] = field(default_factory=list)
    named_agents: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Stop the rendering when it takes too long."""
        if self.clock() > self.deadline:
            raise _TooLate


def possible_handles(text: str) -> set[str]:
    """Return, in lower case, what may be a mention in `text`; code is not looked at closely here."""
    return {match.group(1).lower() for match in MENTION.finditer(text)}


def render(
    text: str,
    *,
    people: Mapping[str, str] | None = None,
    agents: Sequence[str] = (),
    clock: Callable[[], float] = time.monotonic,
) -> Rendered:
    """Return Markdown as HTML that is safe to put into a page; nobody is mentioned unless named here.

    Args:
        text: Markdown of at most `MAX_CHARS` characters.
        people: Handle (lower case) → name to show, of those who may be mentioned.
        agents: Names of agents, lower case.
        clock: Seconds; past `DEADLINE_S` the message becomes plain text and names nobody.
    """
    work = _Work(people or {}, frozenset(agents), clock() + DEADLINE_S, clock)
    try:
        html = _parser.render(text, {"work": work})
    except (_TooLate, RecursionError):
        return Rendered(_plain(text))
    html = _sanitise(html)
    if len(html) > MAX_HTML_CHARS or not _HAS_WORDS.search(html):
        html = _plain(text)  # a flood of marks, or nothing left to see: then the words as they were typed
    return Rendered(html, tuple(dict.fromkeys(work.named_people)), tuple(dict.fromkeys(work.named_agents)))


def _plain(text: str) -> str:
    return _sanitise("<p>" + escapeHtml(replace_hidden(text)).replace("\n", "<br>") + "</p>")


def _sanitise(html: str) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes={
            "a": {"href", "title"},
            "span": {"title", "data-handle"},
            "ol": {"start"},
            "code": {"data-language"},
        },
        allowed_classes={"span": _CLASSES | {"mention", "mention-agent", "hidden-char", "image-link"}},
        url_schemes={"http", "https", "mailto"},
        url_relative=_keep_relative,
        link_rel="nofollow noopener noreferrer",
    )


def _keep_relative(url: str) -> str | None:
    """Return an address within this site; None for what looks like a scheme in disguise."""
    return None if ":" in re.split(r"[/?#]", url, maxsplit=1)[0] else url


# --- the parser --------------------------------------------------------------------------------------------------------


def _deadline_inline(state: StateInline, silent: bool) -> bool:
    state.env["work"].check()
    return False


def _deadline_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    state.env["work"].check()
    return False


def _text_html(work: _Work, text: str) -> str:
    """Return text with its mentions as spans and hidden characters shown."""
    parts, done = [], 0
    for match in MENTION.finditer(text):
        handle = match.group(1).lower().rstrip("-_")
        if handle in work.agents:
            work.named_agents.append(handle)
            span = f'<span class="mention mention-agent" data-handle="{handle}">@{handle}</span>'
        elif handle in work.people:
            work.named_people.append(handle)
            name = show_hidden(work.people[handle], escapeHtml)
            span = f'<span class="mention" data-handle="{handle}">@{name}</span>'
        else:
            continue
        parts += [show_hidden(text[done : match.start()], escapeHtml), span]
        done = match.start() + 1 + len(handle)
    parts.append(show_hidden(text[done:], escapeHtml))
    return "".join(parts)


def _render_text(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return _text_html(env["work"], tokens[index].content)


def _render_code_inline(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return f"<code>{show_hidden(tokens[index].content, escapeHtml)}</code>"


def _render_fence(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    token, work = tokens[index], env["work"]
    language = (token.info.split() or [""])[0].lower()[:40]
    body = _coloured(work, token.content, language) or show_hidden(token.content, escapeHtml)
    label = f' data-language="{escapeHtml(language)}"' if language else ""
    return f"<pre><code{label}>{body}</code></pre>\n"


def _coloured(work: _Work, code: str, language: str) -> str:
    """Return the code with Pygments' classes, "" when it has no lexer, is long, or takes too long."""
    if len(code) > MAX_COLOURED_CHARS or not may_colour(code, language):
        return ""
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return ""
    parts = []
    for kind, value in lexer.get_tokens(code):
        work.check()
        css = _css_class(kind)
        shown = show_hidden(value, escapeHtml)
        parts.append(f'<span class="{css}">{shown}</span>' if css else shown)
    return "".join(parts)


def _css_class(kind: Any) -> str:
    """Return the class of a token's kind, or of what it is a kind of; "" for what has no colour."""
    while kind:
        if (name := STANDARD_TYPES.get(kind, "")) in _CLASSES:
            return name
        kind = kind.parent
    return ""


def _render_image(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """An image becomes a link: loading it from elsewhere would tell that place who reads."""
    token = tokens[index]
    label = escapeHtml(token.content or "image")
    return (
        f'<a href="{escapeHtml(str(token.attrs.get("src", "")))}"><span class="image-link">{label}</span></a>'
    )


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": True, "breaks": True, "maxNesting": 20})
    parser.enable(["table", "strikethrough", "linkify"])
    # `www.example.org` and addresses with a scheme become links; `parser.py` does not.
    parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False})  # type: ignore[union-attr]
    parser.inline.ruler.before("text", "deadline", _deadline_inline)
    parser.block.ruler.before("table", "deadline", _deadline_block)
    for name, rule in (
        ("text", _render_text),
        ("code_inline", _render_code_inline),
        ("fence", _render_fence),
        ("code_block", _render_fence),
        ("image", _render_image),
    ):
        parser.add_render_rule(name, rule)
    return parser


_parser = _make_parser()
