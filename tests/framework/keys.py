"""Keys that look real and open nothing, put together so that no scanner takes the tests for a leak."""

from __future__ import annotations

_LETTERS = "aZ3kQ9xB7mT1vR5nL8cW2yH6"


def fake_key(prefix: str, length: int) -> str:
    """Return `prefix` followed by `length` characters that look random, the same each time."""
    return prefix + "".join(_LETTERS[number * 7 % len(_LETTERS)] for number in range(length))
