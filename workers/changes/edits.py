"""What a person typed into a hunk, carried to wherever the hunk stands now.

An edit holds the whole new side of a hunk, and so the lines around the change as they were that day. Landed word for word
on newer files it would silently take those lines back; so only what the person touched counts, and the rest is what
stands there now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.changes.diffs import Hunk


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The unchanged lines of a hunk before its first and after its last changed line."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    @classmethod
    def of(cls, hunk: Hunk) -> Surroundings:
        """Return those of `hunk`."""
        texts = [line.text for line in hunk.lines]
        changed = [at for at, line in enumerate(hunk.lines) if line.kind != " "]
        if not changed:
            return cls(tuple(texts), ())
        return cls(tuple(texts[: changed[0]]), tuple(texts[changed[-1] + 1 :]))


def carry_edit(edited: Sequence[str], *, made_on: Surroundings, now: Surroundings) -> list[str] | None:
    """Return the edited new side for a hunk that stands between other lines by now.

    Returns:
        None when the person changed surrounding lines that read differently now: nobody can say what was meant.
    """
    has_returns = any(text.endswith("\r") for text in edited)
    before, after = _plain(made_on.before, has_returns), _plain(made_on.after, has_returns)
    before_now, after_now = _plain(now.before, has_returns), _plain(now.after, has_returns)
    kept_before = _common(edited, before)
    kept_after = _common(edited[kept_before:][::-1], after[::-1])
    touched_before, touched_after = before[kept_before:], after[: len(after) - kept_after]
    room_before = len(before_now) - len(touched_before)
    if room_before < 0 or before_now[room_before:] != touched_before:
        return None
    if after_now[: len(touched_after)] != touched_after:
        return None
    typed = edited[kept_before : len(edited) - kept_after]
    return [*before_now[:room_before], *typed, *after_now[len(touched_after) :]]


def _plain(lines: Sequence[str], has_returns: bool) -> list[str]:
    """Return the lines as the edit would have them: editors leave carriage returns out, landing puts them back."""
    return list(lines) if has_returns else [line.removesuffix("\r") for line in lines]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines both begin with."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
