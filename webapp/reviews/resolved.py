"""A revision as people see it: git's hunks, cut where somebody split them, each with what was decided about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webapp.errors import NotFound
from webapp.reviews.models import ChangeSet, Decision, Revision
from webapp.reviews.ordering import Category, category_of
from workers.changes.diffs import FileDiff, Hunk
from workers.changes.edits import Surroundings, carry_edit
from workers.changes.hunks import Choice, split_hunk

Verdict = Decision.Verdict
TAKEN = frozenset({Verdict.ACCEPTED, Verdict.EDITED})


@dataclass(frozen=True, slots=True)
class HunkState:
    """A hunk with the decision that counts."""

    hunk: Hunk
    decision: Decision | None
    split_from: str = ""
    """Key of the hunk this is a part of, when somebody split it."""
    edited: tuple[str, ...] | None = None
    """The new side as somebody edited it, between the lines that stand around it in this revision."""

    @property
    def key(self) -> str:
        return self.hunk.key

    @property
    def verdict(self) -> str:
        """`accepted`, `rejected`, `edited` or `pending`."""
        return self.decision.verdict if self.decision is not None else Verdict.PENDING

    @property
    def is_taken(self) -> bool:
        """Whether it lands when the change set is applied."""
        return self.verdict in TAKEN

    @property
    def choice(self) -> Choice:
        """What landing is told about it."""
        return Choice(self.key, None if self.edited is None else list(self.edited))


@dataclass(frozen=True, slots=True)
class FileState:
    """A file of the revision with its hunks."""

    diff: FileDiff
    hunks: tuple[HunkState, ...]
    category: Category

    @property
    def path(self) -> str:
        return self.diff.path

    @property
    def id(self) -> str:
        """A short name of the path that can stand in an address and in HTML, whatever the path is."""
        return hashlib.blake2s(self.path.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()

    @property
    def is_folded(self) -> bool:
        """Whether it is shown closed at first: nobody reads a lock file."""
        return self.category == Category.GENERATED

    def count(self, verdict: str) -> int:
        """Return how many hunks have this verdict; an edited one counts as accepted."""
        wanted = TAKEN if verdict == Verdict.ACCEPTED else {verdict}
        return sum(hunk.verdict in wanted for hunk in self.hunks)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The files of one revision in reading order."""

    revision: Revision
    files: tuple[FileState, ...]
    risks: Mapping[str, Any]

    def __iter__(self) -> Iterator[HunkState]:
        for file in self.files:
            yield from file.hunks

    def find(self, key: str) -> HunkState:
        """Return the hunk with this key.

        Raises:
            NotFound: the revision has none.
        """
        return self.file_and_hunk(key)[1]

    def file_and_hunk(self, key: str) -> tuple[FileState, HunkState]:
        """Return the hunk with this key and its file; raises as `find`."""
        for file in self.files:
            for hunk in file.hunks:
                if hunk.key == key:
                    return file, hunk
        raise NotFound("This revision has no such hunk (any more). Load the page again.")

    def file(self, path: str) -> FileState:
        """Return the file at `path`, or with this id; raises as `find`."""
        for file in self.files:
            if path in (file.path, file.id):
                return file
        raise NotFound("This revision has no such file (any more). Load the page again.")

    def count(self, verdict: str) -> int:
        """Return how many hunks have this verdict; an edited one counts as accepted."""
        return sum(file.count(verdict) for file in self.files)

    @property
    def hunk_count(self) -> int:
        return sum(len(file.hunks) for file in self.files)

    @property
    def taken(self) -> tuple[HunkState, ...]:
        """The hunks that land when the change set is applied."""
        return tuple(hunk for hunk in self if hunk.is_taken)

    @property
    def diffs(self) -> list[FileDiff]:
        """The file diffs with split hunks as their parts, in git's order, as landing wants them."""
        by_path = sorted(self.files, key=lambda file: file.path)
        return [file.diff.with_hunks([state.hunk for state in file.hunks]) for file in by_path]

    @property
    def selection(self) -> str:
        """Fingerprint of what would land: which hunks, with which edits."""
        return selection_of([hunk.choice for hunk in self.taken])


def selection_of(choices: Sequence[Choice]) -> str:
    """Return a fingerprint of these choices, whatever their order."""
    plain = sorted((choice.key, choice.edited_new_lines) for choice in choices)
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def current_decisions(change_set: ChangeSet) -> dict[str, Decision]:
    """Return for each hunk key the newest decision that was not taken back; one query."""
    rows = change_set.decisions.filter(undone_at=None).select_related("decided_by").order_by("id")
    return {row.hunk_key: row for row in rows}


def newest_revision(change_set: ChangeSet) -> Revision:
    """Return the change set's newest revision.

    Raises:
        NotFound: it has none.
    """
    revision = change_set.revisions.order_by("-number").first()
    if revision is None:
        raise NotFound("This review has no revision.")
    revision.change_set = change_set
    return revision


def resolve_change_set(change_set: ChangeSet) -> Resolved:
    """Return the newest revision as it stands now."""
    return resolve(newest_revision(change_set), current_decisions(change_set))


def resolve(revision: Revision, decisions: Mapping[str, Decision]) -> Resolved:
    """Return `revision` with `decisions` on its hunks, splits cut, files in reading order."""
    risks = revision.risks
    files = [_file_state(FileDiff.from_dict(data), decisions, risks) for data in revision.files]
    # Within a category: as git has it, by path.
    files.sort(key=lambda file: file.category)
    return Resolved(revision=revision, files=tuple(files), risks=risks)


def _file_state(diff: FileDiff, decisions: Mapping[str, Decision], risks: Mapping[str, Any]) -> FileState:
    hunks = tuple(part for hunk in diff.hunks for part in _parts(hunk, decisions, ""))
    is_sensitive = any(risks.get(hunk.key, {}).get("is_sensitive") for hunk in diff.hunks)
    return FileState(diff=diff, hunks=hunks, category=category_of(diff.path, is_sensitive=is_sensitive))


def _parts(hunk: Hunk, decisions: Mapping[str, Decision], split_from: str) -> Iterator[HunkState]:
    decision = decisions.get(hunk.key)
    if decision is None or decision.verdict == Verdict.PENDING:
        yield HunkState(hunk, None, split_from)
    elif decision.verdict == Verdict.SPLIT:
        parts = split_hunk(hunk, cuts_in(hunk, decision.split_after or []))
        for part in parts:
            yield from (
                _parts(part, decisions, hunk.key) if len(parts) > 1 else (HunkState(hunk, None, split_from),)
            )
    elif decision.verdict == Verdict.EDITED:
        edited = _edited_now(hunk, decision)
        # What was typed over lines that have changed since is to be decided anew.
        yield (
            HunkState(hunk, None, split_from)
            if edited is None
            else HunkState(hunk, decision, split_from, tuple(edited))
        )
    else:
        yield HunkState(hunk, decision, split_from)


def _edited_now(hunk: Hunk, decision: Decision) -> list[str] | None:
    now = Surroundings.of(hunk)
    before, after = decision.edited_around or (now.before, now.after)
    return carry_edit(
        decision.edited_new_lines or [], made_on=Surroundings(tuple(before), tuple(after)), now=now
    )


def cuts_in(hunk: Hunk, from_change: Sequence[int]) -> list[int]:
    """Return cuts that are counted from the hunk's first changed line as indexes of its lines, those that it still has."""
    first = first_change(hunk)
    return [first + cut for cut in from_change if 0 <= first + cut < len(hunk.lines)]


def first_change(hunk: Hunk) -> int:
    """Return the index of the hunk's first changed line."""
    return len(Surroundings.of(hunk).before)
