"""Characters of what people and agents write that hide something, named where they stand.

Gentler than what a diff needs: emoji sequences and scripts that are written with joiners stay as they are. What remains (bidi
controls, zero-width and control characters, tags) has no business in a conversation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
_JOINERS = "\u200c\u200d"


def _joins(text: str, at: int) -> bool:
    """Return whether the joiner at `at` stands inside a word or an emoji that is written with it."""
    before = text[at - 1] if at else " "
    after = text[at + 1] if at + 1 < len(text) else " "
    return ord(before) > 0x2FF and ord(after) > 0x2FF and unicodedata.category(after)[0] in "LMS"


def show_hidden(text: str, escape: Callable[[str], str]) -> str:
    """Return `text` escaped by `escape`, with hidden characters as marked names such as `U+202E`."""
    parts: list[str] = []
    done = 0
    for match in _HIDDEN.finditer(text):
        if match.group() in _JOINERS and _joins(text, match.start()):
            continue
        name = unicodedata.name(match.group(), "control character").lower()
        mark = f'<span class="hidden-char" title="{name}">U+{ord(match.group()):04X}</span>'
        parts += [escape(text[done : match.start()]), mark]
        done = match.end()
    parts.append(escape(text[done:]))
    return "".join(parts)


def replace_hidden(text: str) -> str:
    """Return `text` with hidden characters as replacement characters, for where marks would be too many."""
    return _HIDDEN.sub(
        lambda m: m.group() if m.group() in _JOINERS and _joins(text, m.start()) else "\ufffd", text
    )
