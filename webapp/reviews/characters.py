"""Characters that a reader cannot see, or that change the order of what they see, shown as such.

A diff that reads well and does something else is an old attack ("trojan source"): so whatever has no picture of its own is
named where it stands. Everything is HTML-escaped here, and nowhere else.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

_BLANKS = "\u00a0\u115f\u1160\u1680\u2800\u3164\uffa0"
# Every control (C0 but tab, C1), format (bidi, zero-width, tags), surrogate and private character, separators other than the
# space, variation selectors, and blanks that look like a space or like nothing.
_SUSPECT = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u00ad\u034f\u061c\u0600-\u0605\u06dd\u070f\u08e2\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000\ud800-\uf8ff\ufe00-\ufe0f\ufeff\ufff0-\ufffb\U000110bd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff" + _BLANKS + "]"
)
_DANGEROUS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def has_hidden_characters(text: str) -> bool:
    """Return whether `text` holds characters that hide something: bidi controls, zero-width, control characters."""
    return bool(_DANGEROUS.search(text))


def _name(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"byte 0x{code - 0xDC00:02X}, not UTF-8"
    fallback = "CONTROL" if code < 0xA0 else "UNNAMED"
    return f"U+{code:04X} {unicodedata.name(character, fallback)}"


def _mark(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        short = f"\\x{code - 0xDC00:02X}"
    elif character == "\r":
        short = "CR"
    elif code < 0x20:
        short = chr(0x2400 + code)
    else:
        short = f"U+{code:04X}"
    return f'<span class="odd-char" title="{escape(_name(character))}">{short}</span>'


def visible_html(text: str) -> str:
    """Return `text` escaped for HTML, with every character that has no picture named where it stands."""
    return _SUSPECT.sub(_mark, escape(text, quote=True))


def visible_text(text: str) -> str:
    """Return `text` with such characters written out, for where no markup can stand: titles, attributes, the API."""

    def spell(match: re.Match[str]) -> str:
        code = ord(match.group())
        return f"\\x{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"\\u{{{code:04X}}}"

    return _SUSPECT.sub(spell, text)
