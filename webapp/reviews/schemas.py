"""What the API says about reviews."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Field, Schema

from webapp.accounts.models import User
from webapp.api import Body
from webapp.codehealth.comparing import COMPARED, Comparison
from webapp.reviews import selectors
from webapp.reviews.models import ChangeSet, Evidence, ReviewComment
from webapp.reviews.resolved import FileState, HunkState
from webapp.reviews.selectors import EvidenceView, Review, Thread
from webapp.reviews.showing import shown_lines, summary_of
from workers.changes.diffs import Line
from workers.changes.paths import to_portable

KEY = "^[0-9a-f]{32}$"
Verdict = Literal["accepted", "rejected", "edited", "split", "pending"]
Status = Literal["open", "landing", "landed", "discarded", "reverted"]


class ReviewRow(Schema):
    """A change set as the list shows it."""

    id: int = Field(examples=[12])
    run_id: UUID | None
    agent: str = Field(examples=["coder"])
    title: str = Field(examples=["Fix the failing test in parser.py"])
    status: Status
    turn: Literal["reviewer", "agent"]
    target_branch: str = Field(examples=["main"])
    file_count: int
    hunk_count: int
    added: int
    deleted: int
    risk: Literal["low", "medium", "high"]
    landed_commit: str
    landed_by: str | None
    landed_at: datetime | None
    reverted_commit: str
    created_at: datetime


class ReviewPage(Schema):
    """One page of change sets, newest first."""

    reviews: list[ReviewRow]
    next_before: int | None = Field(description="Give it as `before` for the next page; null at the end.")


class HunkOut(Schema):
    """A hunk of the shown revision, splits cut."""

    key: str = Field(examples=["3733dedb1647d449e9c1c5dce870f0a8"])
    kind: Literal["text", "whole", "mode", "rename"]
    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    header: str
    summary: str = Field(description="For a change without text: what it is.")
    verdict: Literal["accepted", "rejected", "edited", "pending"]
    decision_id: int = Field(description="Give it as `seen` with the next decision; 0 for none.")
    decided_by: str | None
    reason: str
    split_from: str = Field(description="Key of the hunk of which it is a part; empty for a whole one.")
    risk: dict[str, Any]
    change: str = Field(description="With `since`: new, changed or same.")


class LineOut(Schema):
    """A line of a hunk."""

    kind: Literal[" ", "+", "-"]
    old_no: int | None
    new_no: int | None
    text: str
    no_newline: bool


class HunkDetail(HunkOut):
    """A hunk with its lines, as edited where somebody edited it."""

    path: str
    lines: list[LineOut]


class FileOut(Schema):
    """A file of the shown revision, in reading order."""

    path: str = Field(
        description="Bytes that are no UTF-8 stand as private characters.", examples=["src/parser.py"]
    )
    old_path: str | None
    status: Literal["added", "modified", "deleted", "renamed", "mode"]
    is_binary: bool
    added: int
    deleted: int
    category: Literal["sensitive", "source", "test", "docs", "generated"]
    hunks: list[HunkOut]


class CommentOut(Schema):
    """A remark, or an answer to one."""

    id: int
    parent_id: int | None
    kind: Literal["must-fix", "question", "note"]
    author: str
    is_agent: bool
    path: str
    line: int | None
    side: Literal["old", "new"]
    hunk_key: str
    code: str
    text: str
    revision: int
    is_sent: bool
    is_resolved: bool
    created_at: datetime


class EvidenceOut(Schema):
    """A command that was run on exactly one tree of this change set."""

    id: int
    revision: int
    tree: str
    subset: list[str] | None = Field(
        description="Keys of the hunks that were applied; null for the whole revision."
    )
    command: str = Field(examples=["python3 -m pytest -q"])
    status: Literal["running", "passed", "failed", "cancelled", "lost"]
    exit_code: int | None
    duration_ms: int | None
    output: str
    note: str
    is_stale: bool
    requested_by: str | None
    created_at: datetime


class FunctionFigures(Schema):
    """The complexity of a function on one side; null where it is absent or not measured."""

    cyclomatic: int | None
    cognitive: int | None


class FunctionChangeOut(Schema):
    """A function that a revision changes, brings or removes."""

    path: str = Field(examples=["src/parser.py"])
    qualname: str = Field(examples=["Parser.parse"])
    line: int
    is_new: bool
    is_gone: bool
    before: FunctionFigures
    after: FunctionFigures


class HealthOut(Schema):
    """What a revision does to the health of the code, the worst first."""

    functions: list[FunctionChangeOut]
    left_out: int
    broken: list[str] = Field(
        description="The workspace's limits that it would break as a whole, in words.",
        examples=[["src/parser.py:12: parse has complexity 18, over 15 (it was 9)"]],
    )
    is_required: bool = Field(description="Whether applying is refused while a limit is broken.")


class ConflictOut(Schema):
    """A hunk that found no place when the change was carried over to newer files."""

    path: str
    words: str


class ReviewOut(ReviewRow):
    """A change set as its page shows it."""

    summary: str
    revision: int
    revisions: list[int]
    base_commit: str
    commit: str
    diff_hash: str = Field(description="What applying is bound to.")
    selection: str = Field(
        description="Fingerprint of the accepted hunks; give it with `apply` to bind that to them, too."
    )
    hunks: int
    accepted: int
    rejected: int
    pending: int
    must_fix: int
    evidence_state: Literal["passed", "failed", "running", "stale", "unverified"]
    cost_usd: float | None = Field(description="Null while the price of any call is unknown.")
    files: list[FileOut]
    comments: list[CommentOut]
    evidence: list[EvidenceOut]
    conflicts: list[ConflictOut]


class DecisionIn(Body):
    """What is to become of a hunk."""

    verdict: Verdict = Field(examples=["accepted"])
    edited_new_lines: list[str] | None = Field(
        None, max_length=20_000, description="With `edited`: the new side, context included."
    )
    split_after: list[int] | None = Field(
        None, max_length=20_000, description="With `split`: indexes of lines to cut after."
    )
    reason: str = Field("", max_length=500, examples=["The old name is public."])
    seen: int | None = Field(
        None, ge=0, description="`decision_id` as you saw it: a conflict when somebody was faster."
    )


class FileDecisionIn(Body):
    """What is to become of all hunks of a file, or of the whole revision."""

    verdict: Literal["accepted", "rejected", "pending"]
    path: str | None = Field(
        None, max_length=4096, description="Null for every file.", examples=["src/parser.py"]
    )
    reason: str = Field("", max_length=500)


class UndoIn(Body):
    """Which decision is to be taken back."""

    hunk_key: str | None = Field(
        None, pattern=KEY, description="Null for your own newest act on this change set."
    )


class CommentIn(Body):
    """A remark on a line, on a file, on the whole, or on another remark."""

    text: str = Field(min_length=1, max_length=20_000, examples=["Why not a generator?"])
    kind: Literal["must-fix", "question", "note"] = "note"
    path: str = Field("", max_length=4096, examples=["src/parser.py"])
    line: int | None = Field(None, ge=1, le=2**31 - 1)
    side: Literal["old", "new"] = "new"
    parent_id: int | None = Field(None, ge=1, le=2**63 - 1)


class ResolveIn(Body):
    """Whether the remark is settled."""

    is_resolved: bool = True


class EvidenceIn(Body):
    """A command to run."""

    command: str = Field(min_length=1, max_length=4_000, examples=["python3 -m pytest -q"])
    is_whole: bool = Field(False, description="On the whole revision instead of on the accepted hunks alone.")


class ApplyIn(Body):
    """What you saw: applying is refused when it is not what is there."""

    diff_hash: str = Field(min_length=1, max_length=128, examples=["9c1f…"])
    selection: str | None = Field(None, max_length=128)


class RunStarted(Schema):
    """The run in which the agent answers."""

    run_id: UUID


class Undone(Schema):
    """Which hunks got back what was decided before."""

    hunk_keys: list[str]


class Decided(Schema):
    """How many hunks got the verdict."""

    count: int


_NAMES = (
    "run_id",
    "agent",
    "title",
    "status",
    "turn",
    "target_branch",
    "file_count",
    "hunk_count",
    "added",
    "deleted",
    "risk",
    "landed_commit",
    "landed_at",
    "reverted_commit",
    "created_at",
)


def list_row(one: selectors.ReviewRow) -> dict[str, Any]:
    """Return a row of the list as `ReviewRow`."""
    return {"id": one.pk, **{name: getattr(one, name) for name in _NAMES}, "landed_by": one.landed_by}


def row(change_set: ChangeSet) -> dict[str, Any]:
    """Return a change set as `ReviewRow`."""
    return {"id": change_set.pk, **{name: getattr(change_set, name) for name in _NAMES}} | {
        "landed_by": _name(change_set.landed_by)
    }


def _name(user: User | None) -> str | None:
    return user.display_name if user is not None else None


def whole(review: Review) -> dict[str, Any]:
    """Return a review as `ReviewOut`."""
    revision, header = review.revision, review.header
    return row(review.change_set) | {
        "summary": review.change_set.summary,
        "revision": revision.number,
        "revisions": [one.number for one in review.revisions],
        "base_commit": revision.base_commit,
        "commit": revision.commit,
        "diff_hash": revision.diff_hash,
        "selection": review.resolved.selection,
        "hunks": header.hunks,
        "accepted": header.accepted,
        "rejected": header.rejected,
        "pending": header.pending,
        "must_fix": header.must_fix,
        "evidence_state": header.evidence,
        "cost_usd": header.cost_usd,
        "files": [_file(review, file) for file in review.resolved.files],
        "comments": [comment(one) for thread in review.threads for one in _all_of(thread)],
        "evidence": [evidence(view) for view in review.evidence],
        "conflicts": [
            {"path": to_portable(view.hunk.path), "words": view.words} for view in review.conflicts
        ],
    }


def _all_of(thread: Thread) -> list[ReviewComment]:
    return [thread.root, *thread.replies]


def _file(review: Review, file: FileState) -> dict[str, Any]:
    diff = file.diff
    return {
        "path": to_portable(diff.path),
        "old_path": None if diff.old_path is None else to_portable(diff.old_path),
        "status": diff.status,
        "is_binary": diff.is_binary,
        "added": diff.added,
        "deleted": diff.deleted,
        "category": file.category.name.lower(),
        "hunks": [hunk(review, file, state) for state in file.hunks],
    }


def health(found: Comparison) -> dict[str, Any]:
    """Return a comparison as `HealthOut`."""
    functions = [
        asdict(one)
        | {
            "before": dict(zip(COMPARED, one.before, strict=True)),
            "after": dict(zip(COMPARED, one.after, strict=True)),
        }
        for one in found.functions
    ]
    return {
        "functions": functions,
        "left_out": found.left_out,
        "broken": found.broken,
        "is_required": found.limits.is_required,
    }


def hunk(review: Review, file: FileState, state: HunkState) -> dict[str, Any]:
    """Return a hunk as `HunkOut`."""
    plain, decision = state.hunk, state.decision
    whole_key = state.split_from or state.key
    return {
        "key": state.key,
        "kind": plain.kind,
        "old_start": plain.old_start,
        "old_lines": plain.old_lines,
        "new_start": plain.new_start,
        "new_lines": plain.new_lines,
        "header": to_portable(plain.header),
        "summary": summary_of(file.diff, plain),
        "verdict": state.verdict,
        "decision_id": decision.pk if decision is not None else 0,
        "decided_by": _name(decision.decided_by) if decision is not None else None,
        "reason": decision.reason if decision is not None else "",
        "split_from": state.split_from,
        "risk": review.resolved.risks.get(whole_key, {}),
        "change": review.interdiff.changes.get(whole_key, "") if review.interdiff is not None else "",
    }


def hunk_detail(review: Review, key: str) -> dict[str, Any]:
    """Return a hunk as `HunkDetail`."""
    file, state = review.resolved.file_and_hunk(key)
    return hunk(review, file, state) | {
        "path": to_portable(file.path),
        "lines": [_line(line) for line in shown_lines(state)],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "old_no": line.old_no,
        "new_no": line.new_no,
        "text": to_portable(line.text),
        "no_newline": line.no_newline,
    }


def comment(one: ReviewComment) -> dict[str, Any]:
    """Return a remark as `CommentOut`."""
    names = (
        "id",
        "parent_id",
        "kind",
        "path",
        "line",
        "side",
        "hunk_key",
        "code",
        "text",
        "is_sent",
        "created_at",
    )
    return {name: getattr(one, name) for name in names} | {
        "author": one.author.display_name if one.author else f"@{one.agent}" if one.agent else "",
        "is_agent": bool(one.agent),
        "revision": one.revision.number,
        "is_resolved": one.resolved_at is not None,
    }


def evidence(view: EvidenceView) -> dict[str, Any]:
    """Return a command as `EvidenceOut`."""
    return evidence_row(view.row) | {"is_stale": view.is_stale}


def evidence_row(one: Evidence) -> dict[str, Any]:
    """Return a command that was only just asked for as `EvidenceOut`."""
    names = (
        "id",
        "tree",
        "subset",
        "command",
        "status",
        "exit_code",
        "duration_ms",
        "output",
        "note",
        "created_at",
    )
    return {name: getattr(one, name) for name in names} | {
        "revision": one.reviewed.number,
        "requested_by": _name(one.requested_by),
        "is_stale": False,
    }
