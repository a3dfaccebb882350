"""A feed in pages: each page carries the cursor of the next."""


class BadCursor(ValueError):
    """The cursor was not made by us."""


def make_cursor(entry):
    return str(entry.at)


def read_cursor(cursor):
    return int(cursor)


def page(store, size=20, cursor=None):
    """Return {"entries": [...], "next": cursor or None}."""
    entries = store.newest_first()
    if cursor is not None:
        before = read_cursor(cursor)
        entries = [entry for entry in entries if entry.at < before]
    shown = entries[:size]
    following = make_cursor(shown[-1]) if len(shown) == size else None
    return {"entries": shown, "next": following}
