"""Reads about reviews."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from webapp.agents.models import Run
from webapp.agents.selectors import badge_count
from webapp.codehealth.comparing import Comparison, compare_trees
from webapp.errors import Invalid, NotFound
from webapp.reviews.interdiff import Interdiff, compare
from webapp.reviews.models import ChangeSet, Evidence, ReviewComment, Revision
from webapp.reviews.resolved import Resolved, Verdict, current_decisions, resolve
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import repository_of
from workers.changes.diffs import Hunk

PAGE_SIZE = 50
REVIEWER = "reviewer"
FILTERS: dict[str, tuple[str, ...]] = {
    "open": (ChangeSet.Status.OPEN, ChangeSet.Status.LANDING),
    "landed": (ChangeSet.Status.LANDED,),
    "discarded": (ChangeSet.Status.DISCARDED,),
    "reverted": (ChangeSet.Status.REVERTED,),
    "all": (),
}


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A change set as a list shows it."""

    pk: int
    run_id: UUID | None
    agent: str
    title: str
    status: str
    turn: str
    target_branch: str
    file_count: int
    hunk_count: int
    added: int
    deleted: int
    risk: str
    landed_commit: str
    landed_at: datetime | None
    reverted_commit: str
    created_at: datetime
    requested_by: str | None
    landed_by: str | None
    has_evidence: bool
    """Whether a command was run on a whole revision of it."""


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """One page of the list; `next_before` continues it, None at its end."""

    reviews: Sequence[ReviewRow]
    next_before: int | None


_COLUMNS = tuple(field.name for field in fields(ReviewRow))[:-3]


def list_reviews(
    workspace: Workspace, *, which: str = "open", before: int | None = None, limit: int = PAGE_SIZE
) -> ReviewPage:
    """Return change sets, newest first, from below the id `before`. Reads no diff.

    Raises:
        Invalid: there is no such filter.
    """
    if which not in FILTERS:
        raise Invalid(f"The filter is one of {', '.join(FILTERS)}.")
    rows: QuerySet[ChangeSet] = ChangeSet.objects.filter(workspace=workspace)
    if FILTERS[which]:
        rows = rows.filter(status__in=FILTERS[which])
    if before is not None:
        rows = rows.filter(pk__lt=before)
    whole = Evidence.objects.filter(revision__change_set=OuterRef("pk"), subset__isnull=True)
    # Plain values: fifty rows as models with their relations cost as much as the rest of the page.
    names = (*_COLUMNS, "run__requested_by__display_name", "landed_by__display_name")
    found = [
        ReviewRow(*values) for values in rows.order_by("-pk").values_list(*names, Exists(whole))[: limit + 1]
    ]
    return ReviewPage(reviews=found[:limit], next_before=found[limit - 1].pk if len(found) > limit else None)


def counts(workspace: Workspace) -> dict[str, str]:
    """Return how many reviews are open, as a badge says it."""
    return {"open": badge_count(ChangeSet, workspace.pk, (ChangeSet.Status.OPEN,))}


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """A command that was run, and whether it still says something about what would land."""

    row: Evidence
    is_stale: bool
    why: str


@dataclass(frozen=True, slots=True)
class Header:
    """The one line above a review."""

    hunks: int
    accepted: int
    rejected: int
    pending: int
    evidence: str
    """`passed`, `failed`, `running`, `stale` or `unverified`."""
    evidence_of: str
    """`tests` when one of these commands runs tests, else `checks`: lint that passes says nothing about behaviour."""
    cost_usd: float | None
    """Of the run and of all that answered; None while a price is unknown."""
    must_fix: int
    unsent: int
    is_answering: bool
    is_under_review: bool
    """Whether @reviewer reads it now."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A remark with what was answered."""

    root: ReviewComment
    replies: Sequence[ReviewComment]
    is_loose: bool = False
    """Whether the revision that is shown has no hunk any more on which it could stand."""

    @property
    def is_resolved(self) -> bool:
        return self.root.resolved_at is not None


CONFLICTS = {
    "changed": "these lines have changed meanwhile",
    "deleted": "the file is gone",
    "taken": "something else is at this path",
    "already_there": "it is there already",
}


@dataclass(frozen=True, slots=True)
class ConflictView:
    """A hunk that no longer fits, and why in words."""

    hunk: Hunk
    words: str


@dataclass(frozen=True, slots=True)
class Review:
    """Everything a review's page shows."""

    change_set: ChangeSet
    revisions: Sequence[Revision]
    resolved: Resolved
    threads: Sequence[Thread]
    evidence: Sequence[EvidenceView]
    header: Header
    interdiff: Interdiff | None

    @property
    def revision(self) -> Revision:
        return self.resolved.revision

    @property
    def is_newest(self) -> bool:
        """Whether the newest revision is shown: only there can one decide."""
        return self.revision.number == self.revisions[-1].number

    @property
    def conflicts(self) -> list[ConflictView]:
        """Hunks of the revision before that found no place in this one's base; of interest until it is closed."""
        if self.change_set.status != ChangeSet.Status.OPEN:
            return []
        return [
            ConflictView(Hunk.from_dict(item["hunk"]), CONFLICTS.get(item["reason"], "no longer fits"))
            for item in self.revision.conflicts
        ]

    @property
    def interdiff_words(self) -> str:
        """What the comparison found, in words; empty without one."""
        if self.interdiff is None:
            return ""
        found = [(self.interdiff.count(change), change) for change in ("new", "changed", "gone", "same")]
        return ", ".join(f"{number} {change}" for number, change in found if number) or "nothing"

    @property
    def gone(self) -> list[Hunk]:
        """Hunks of the revision that is compared with which have no successor, but for those shown as conflicts."""
        lost = {view.hunk.key for view in self.conflicts}
        return (
            [hunk for hunk in self.interdiff.gone if hunk.key not in lost]
            if self.interdiff is not None
            else []
        )

    def threads_of(self, hunk_key: str) -> list[Thread]:
        """Return the remarks on lines of this hunk."""
        return [thread for thread in self.threads if thread.root.hunk_key == hunk_key]


def load_review(change_set: ChangeSet, *, number: int | None = None, since: int | None = None) -> Review:
    """Return the change set as a page shows it.

    Args:
        number: Revision to show; None for the newest.
        since: Revision to compare with; None for no comparison.

    Raises:
        NotFound: it has no such revision.
    """
    revisions = list(
        change_set.revisions.select_related("run")
        .defer("packed_files", "packed_risks", "run__job")
        .order_by("number")
    )
    shown = _pick(revisions, number)
    shown.change_set = change_set
    resolved = resolve(shown, current_decisions(change_set))
    threads = _threads(change_set, {hunk.key for hunk in resolved})
    newest = resolved if shown is revisions[-1] else resolve(revisions[-1], current_decisions(change_set))
    evidence = evidence_of(newest)
    interdiff = (
        compare(_pick(revisions, since), shown) if since is not None and since != shown.number else None
    )
    return Review(
        change_set=change_set,
        revisions=revisions,
        resolved=resolved,
        threads=threads,
        evidence=evidence,
        header=header_of(change_set, newest, evidence, threads),
        interdiff=interdiff,
    )


def health_of_revision(change_set: ChangeSet, *, number: int | None) -> Comparison:
    """Return what a revision (None: the newest) does to each function; raises as `load_review`."""
    revisions = list(change_set.revisions.defer("packed_files", "packed_risks").order_by("number"))
    shown = _pick(revisions, number)
    workspace = change_set.workspace
    return compare_trees(workspace, repository_of(workspace), shown.base_commit, shown.commit)


def _pick(revisions: Sequence[Revision], number: int | None) -> Revision:
    for revision in revisions:
        if number in (None, revision.number) and (number is not None or revision is revisions[-1]):
            return revision
    raise NotFound("This review has no such revision.")


def _threads(change_set: ChangeSet, hunk_keys: Set[str]) -> list[Thread]:
    rows = list(
        change_set.comments.select_related("author", "resolved_by", "revision").defer(
            "revision__packed_files", "revision__packed_risks"
        )
    )
    replies: dict[int, list[ReviewComment]] = {}
    for row in rows:
        if row.parent_id is not None:
            replies.setdefault(row.parent_id, []).append(row)
    return [
        Thread(row, replies.get(row.pk, ()), is_loose=row.hunk_key not in hunk_keys)
        for row in rows
        if row.parent_id is None
    ]


def evidence_of(resolved: Resolved) -> list[EvidenceView]:
    """Return the commands run on this change set, newest first, each with whether it is stale and why."""
    revision = resolved.revision
    rows = (
        Evidence.objects.filter(revision__change_set=revision.change_set_id)
        .select_related("requested_by", "revision")
        .order_by("-id")
    )
    return [
        EvidenceView(row, *_staleness(row, resolved))
        for row in rows.defer("revision__packed_files", "revision__packed_risks")[:50]
    ]


def _staleness(row: Evidence, resolved: Resolved) -> tuple[bool, str]:
    if row.revision_id != resolved.revision.pk:
        return True, f"of revision {row.reviewed.number}"
    if row.subset is None:
        if row.tree != resolved.revision.tree:
            return True, "of other files"
        return False, "whole revision"
    if row.selection != resolved.selection:
        return True, "other hunks are accepted now"
    return False, "the accepted hunk" if len(row.subset) == 1 else f"the {len(row.subset)} accepted hunks"


def header_of(
    change_set: ChangeSet, resolved: Resolved, evidence: Sequence[EvidenceView], threads: Sequence[Thread]
) -> Header:
    """Return the numbers of the line above a review."""
    roots = [thread.root for thread in threads if not thread.is_resolved]
    runs = Run.objects.filter(change_set=change_set)
    return Header(
        hunks=resolved.hunk_count,
        accepted=resolved.count(Verdict.ACCEPTED),
        rejected=resolved.count(Verdict.REJECTED),
        pending=resolved.count(Verdict.PENDING),
        evidence=_verdict_of(evidence),
        evidence_of="tests" if any(_runs_tests(item) for item in evidence) else "checks",
        cost_usd=_cost(change_set),
        must_fix=sum(root.kind == ReviewComment.Kind.MUST_FIX for root in roots),
        unsent=sum(not root.is_sent for root in roots),
        is_answering=runs.exclude(status__in=Run.FINAL).exists(),
        is_under_review=is_under_review(change_set),
    )


def is_under_review(change_set: ChangeSet) -> bool:
    """Return whether @reviewer reads the change set now."""
    active = Run.objects.filter(workspace_id=change_set.workspace_id, agent=REVIEWER).exclude(
        status__in=Run.FINAL
    )
    return active.filter(job__review_of__change_set_id=change_set.pk).exists()


def _verdict_of(evidence: Sequence[EvidenceView]) -> str:
    if any(item.row.status == Evidence.Status.RUNNING for item in evidence):
        return "running"
    ended = [item for item in evidence if item.row.status in (Evidence.Status.PASSED, Evidence.Status.FAILED)]
    fresh = [item for item in ended if not item.is_stale]
    if not fresh:
        return "stale" if ended else "unverified"
    # Of each command its newest result counts.
    newest: dict[str, str] = {}
    for item in fresh:
        newest.setdefault(item.row.command, item.row.status)
    return "failed" if Evidence.Status.FAILED in newest.values() else "passed"


_TESTS = re.compile(
    r"\b(pytest|unittest|tox|nox|jest|vitest|mocha|ctest|rspec|phpunit|mvn|gradle"
    r"|(npm|yarn|pnpm|deno|bun|cargo|go|dotnet|make|manage\.py) (run )?(test|check))\b"
)


def _runs_tests(item: EvidenceView) -> bool:
    return not item.is_stale and _TESTS.search(item.row.command) is not None


def _cost(change_set: ChangeSet) -> float | None:
    costs = [change_set.run.cost_usd] if change_set.run is not None else []
    costs += Run.objects.filter(change_set=change_set).values_list("cost_usd", flat=True)
    known = [cost for cost in costs if cost is not None]
    return sum(known) if costs and len(known) == len(costs) else None
