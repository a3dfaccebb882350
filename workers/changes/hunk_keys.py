"""The identity of a hunk."""

from __future__ import annotations

from collections.abc import Sequence

from blake3 import blake3

from workers.changes.paths import to_bytes


def hunk_key(
    path: str, old_lines: Sequence[str], new_lines: Sequence[str], ordinal: int, *, part: str = ""
) -> str:
    """Return 32 hex digits that name a hunk wherever in the file it stands.

    Args:
        old_lines, new_lines: The removed and the added lines with their newlines, without context.
        ordinal: Its number among hunks of this file with the same lines, from 0.
        part: For a part of a split hunk, the key of the whole and the number of the part.
    """
    digest = blake3()
    for group in ([path], old_lines, new_lines, [str(ordinal), part]):
        digest.update(b"%d;" % len(group))
        for text in group:
            data = to_bytes(text)
            digest.update(b"%d:" % len(data))
            digest.update(data)
    return digest.hexdigest()[:32]
