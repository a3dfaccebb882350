"""Whether what a model quotes really stands in a line."""

from __future__ import annotations

from workers.tools.text import clean

MIN_QUOTE_CHARS = 8


def is_quoted(quote: str, line: str, *, min_chars: int = MIN_QUOTE_CHARS) -> bool:
    """Return whether the first line of `quote` stands in `line`; spaces and the signs of a diff before it do not count.

    A part of a line counts from `min_chars` characters on; anything shorter must be the whole line.
    """
    wanted = " ".join(quote.strip().partition("\n")[0].lstrip("+-").split())
    there = " ".join(clean(line).lstrip("+-").split())
    if not wanted:
        return False
    return wanted == there or (len(wanted) >= min_chars and wanted in there)
