"""What changed between two revisions of a change set, told by hunk keys: a hunk is its content, wherever it moved."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from webapp.reviews.models import Revision
from workers.changes.diffs import FileDiff, Hunk

Change = Literal["new", "changed", "same"]


@dataclass(frozen=True, slots=True)
class Interdiff:
    """`until` compared with `since`, both numbers of revisions."""

    since: int
    until: int
    changes: dict[str, Change]
    """By hunk key of `until`."""
    earlier: dict[str, Hunk]
    """Of each changed hunk: what stood in its place in `since`."""
    gone: tuple[Hunk, ...]
    """Hunks of `since` that have no successor in `until`."""

    def count(self, change: str) -> int:
        """Return how many hunks are new, changed, same or gone."""
        return len(self.gone) if change == "gone" else sum(found == change for found in self.changes.values())


def compare(since: Revision, until: Revision) -> Interdiff:
    """Return what `until` has that `since` had not, hunk by hunk.

    A hunk whose key is not in the other revision is "changed" when the old file's lines that it replaces overlap with those
    of a hunk that went; else it is "new".
    """
    before = _hunks(since)
    after = _hunks(until)
    went: dict[str, list[Hunk]] = defaultdict(list)
    for key, hunk in before.items():
        if key not in after:
            went[hunk.path].append(hunk)
    is_same_base = since.base_commit == until.base_commit
    changes: dict[str, Change] = {}
    earlier: dict[str, Hunk] = {}
    for key, hunk in after.items():
        if key in before:
            changes[key] = "same"
            continue
        partner = next(
            (other for other in went[hunk.path] if not is_same_base or _overlap(hunk, other)), None
        )
        changes[key] = "changed" if partner is not None else "new"
        if partner is not None:
            earlier[key] = partner
            went[hunk.path].remove(partner)
    gone = tuple(hunk for hunks in went.values() for hunk in hunks)
    return Interdiff(since=since.number, until=until.number, changes=changes, earlier=earlier, gone=gone)


def _hunks(revision: Revision) -> dict[str, Hunk]:
    return {hunk.key: hunk for data in revision.files for hunk in FileDiff.from_dict(data).hunks}


def _overlap(one: Hunk, other: Hunk) -> bool:
    return (
        one.old_start <= other.old_start + other.old_lines
        and other.old_start <= one.old_start + one.old_lines
    )
