"""What agents write, made safe to keep and safe to show: it is text, whatever it contains.

Kept: no NUL and no lone surrogates, which PostgreSQL refuses, and bounded. Shown: control characters, invisible characters
and those that turn the reading direction stand there as signs, so that output cannot pretend to be something else.
"""

from __future__ import annotations

import re
from typing import Any

KEEP_CHARS = 262_144
"""Longest string of a step's detail that is kept: enough to resume from, a hundredth of what a broken tool can print."""
SHOW_CHARS = 65_536
SHOW_LINE_CHARS = 2_000
MAX_DEPTH = 12
MAX_ITEMS = 2_000

_LONE = re.compile("[\ud800-\udfff]")
# Joiners are left alone inside words and emoji that are written with them, and so are the two selectors of emoji.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]"
    "|(?<![\u0300-\U0010ffff])[\u200c\u200d]|[\u200c\u200d](?![\u0300-\U0010ffff])"
)
_NAMES = {0x00: "NUL", 0x07: "BEL", 0x08: "BS", 0x0B: "VT", 0x0C: "FF", 0x0D: "CR", 0x1B: "ESC", 0x7F: "DEL"}


def storable_text(text: str, *, limit: int = KEEP_CHARS) -> str:
    """Return `text` without what a database refuses, its middle cut out (and said so) beyond `limit` characters."""
    if len(text) > limit:
        head = limit * 2 // 3
        tail = limit - head
        text = (
            f"{text[:head]}\n… {len(text) - head - tail:,} characters left out …\n{text[len(text) - tail :]}"
        )
    return _LONE.sub("\ufffd", text).replace("\x00", "⟨NUL⟩")


def storable(value: Any, *, depth: int = 0) -> Any:
    """Return plain data with every string storable, and with nothing nested deeper or longer than anybody would read."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict | list | tuple) and depth >= MAX_DEPTH:
        return "… nested too deeply …"
    if isinstance(value, dict):
        return {
            storable_text(str(key), limit=200): storable(item, depth=depth + 1)
            for key, item in list(value.items())[:MAX_ITEMS]
        }
    if isinstance(value, list | tuple):
        return [storable(item, depth=depth + 1) for item in value[:MAX_ITEMS]]
    return value


def _sign(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"⟨{_NAMES.get(code) or f'U+{code:04X}'}⟩"


def visible(text: str, *, limit: int = SHOW_CHARS, line_limit: int = SHOW_LINE_CHARS) -> str:
    """Return `text` for a `<pre>`: control and invisible characters as signs, long lines and long texts cut with a note."""
    if len(text) <= min(limit, line_limit) and text.isascii() and text.isprintable():
        return text
    left_out = max(0, len(text) - limit)
    text = text[:limit].replace("\r\n", "\n")
    text = _LONE.sub("\ufffd", _ODD.sub(_sign, text))
    lines = [
        line
        if len(line) <= line_limit
        else f"{line[:line_limit]} … {len(line) - line_limit:,} characters of this line left out"
        for line in text.split("\n")
    ]
    if left_out:
        lines.append(f"… {left_out:,} more characters left out")
    return "\n".join(lines)


def one_line(text: str, *, limit: int = 200) -> str:
    """Return `text` on one line, visible and cut to `limit` characters."""
    flat = " ".join(text[: limit * 4].split())
    flat = visible(flat, line_limit=limit * 4)
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def sentence(text: str) -> str:
    """Return an error's text as a sentence: with a capital at its beginning and a full stop at its end."""
    text = text.strip()
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?…:" else f"{text}."
