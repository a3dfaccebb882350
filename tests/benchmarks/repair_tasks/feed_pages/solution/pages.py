"""A feed in pages: each page carries the cursor of the next."""

import re


class BadCursor(ValueError):
    """The cursor was not made by us."""


def make_cursor(entry):
    return f"{entry.at}_{entry.id}"


def read_cursor(cursor):
    match = re.fullmatch(r"(-?[0-9]{1,30})_([0-9]{1,30})", cursor)
    if match is None:
        raise BadCursor(cursor)
    return int(match[1]), int(match[2])


def page(store, size=20, cursor=None):
    """Return {"entries": [...], "next": cursor or None}."""
    entries = store.newest_first()
    if cursor is not None:
        before = read_cursor(cursor)
        entries = [entry for entry in entries if (entry.at, entry.id) < before]
    shown = entries[:size]
    following = make_cursor(shown[-1]) if len(entries) > size else None
    return {"entries": shown, "next": following}
