"""What an answer adds to the part of a change that has landed meanwhile.

The answer stands on the whole change. Against what landed it differs where the agent has worked on it since, and where hunks
did not land or were edited by a person first. Only the former is news; the latter was decided, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.changes.diffs import FileDiff, Hunk, diff
from workers.changes.hunks import Choice, build_tree

if TYPE_CHECKING:
    from workers.changes.repository import Repository


@dataclass(slots=True)
class _Touched:
    """What of one file an answer has worked on."""

    kinds: set[str] = field(default_factory=set)
    spans: list[tuple[int, int]] = field(default_factory=list)
    """First line and end among the answer's lines, from 0; equal where lines were only taken out."""


def followup_tree(repository: Repository, *, landed: str, answered: str, answer: str) -> str:
    """Return the tree of `landed` with what the agent did between `answered` and `answer`, and nothing else of `answer`.

    Args:
        landed: Commit or tree: the base of the change with the hunks that landed.
        answered: The change as a whole, which the agent went on from.
        answer: What it made of it.

    Raises:
        UnknownRevision: one of them does not exist.
    """
    touched = _touched(diff(repository, answered, answer, context_lines=0))
    # Without context each changed place is a hunk of its own, so that none comes along with its neighbour.
    files = diff(repository, landed, answer, context_lines=0)
    news = [Choice(hunk.key) for file in files for hunk in file.hunks if _is_news(hunk, touched)]
    return build_tree(repository, landed, files, news)


def _touched(files: Sequence[FileDiff]) -> dict[str, _Touched]:
    found: dict[str, _Touched] = {}
    for file in files:
        one = found.setdefault(file.path, _Touched())
        for hunk in file.hunks:
            one.kinds.add(hunk.kind)
            if hunk.kind == "text":
                one.spans.append(_span(hunk))
    return found


def _is_news(hunk: Hunk, touched: Mapping[str, _Touched]) -> bool:
    one = touched.get(hunk.path)
    if one is None:
        return False
    if hunk.kind == "whole" or "whole" in one.kinds:
        return True
    if hunk.kind != "text":
        return hunk.kind in one.kinds
    start, end = _span(hunk)
    return any(
        first <= end and start <= last if first == last or start == end else first < end and start < last
        for first, last in one.spans
    )


def _span(hunk: Hunk) -> tuple[int, int]:
    return hunk.new_first, hunk.new_first + hunk.new_lines
