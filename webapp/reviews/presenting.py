"""From a review to the pieces of its page: what templates need, gathered once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from webapp.reviews.models import ChangeSet
from webapp.reviews.ordering import LABELS
from webapp.reviews.rendering import SHOWN_LINES, hunk_html
from webapp.reviews.resolved import FileState, HunkState, Verdict
from webapp.reviews.risks import words
from webapp.reviews.selectors import Review, Thread, load_review
from webapp.reviews.showing import shown_lines, summary_of
from webapp.workspaces.access import includes
from webapp.workspaces.models import Role
from workers.changes.diffs import Hunk

COMPARED_WITH = "X-Compared-With"
EAGER_LINES = 240
"""Lines of hunks that come with the page; files beyond are fetched when they are scrolled to."""
EAGER_FILE_LINES = 1_000
"""A larger file is fetched even when it is the first."""


@dataclass(frozen=True, slots=True)
class HunkView:
    """A hunk as `_hunk.html` shows it."""

    state: HunkState
    file: FileState
    number: int
    html: SafeString
    badges: Sequence[tuple[str, str]]
    change: str
    earlier: Hunk | None
    """What stood in its place in the revision that is compared with, when it has changed since."""
    loose_threads: Sequence[Thread]
    left_out: int
    summary: str
    """For a change without text: what it is."""

    @property
    def key(self) -> str:
        return self.state.key

    @property
    def seen(self) -> int:
        """Id of the decision that is shown, sent along with the next."""
        return self.state.decision.pk if self.state.decision is not None else 0


@dataclass(frozen=True, slots=True)
class FileView:
    """A file as `_file.html` shows it; `hunks` is None while it is to be fetched."""

    state: FileState
    hunks: Sequence[HunkView] | None
    label: str
    """Heading of its category, for the first file of it."""

    @property
    def accepted(self) -> int:
        return self.state.count(Verdict.ACCEPTED)

    @property
    def rejected(self) -> int:
        return self.state.count(Verdict.REJECTED)

    @property
    def pending(self) -> int:
        return self.state.count(Verdict.PENDING)


def rights(change_set: ChangeSet, review: Review | None = None) -> dict[str, bool]:
    """Return what the person whose role the workspace carries may do now."""
    role: str = change_set.workspace.role  # type: ignore[attr-defined]
    is_open = change_set.status == ChangeSet.Status.OPEN
    is_newest = review is None or review.is_newest
    return {
        "may_decide": includes(role, Role.MEMBER) and is_open and is_newest,
        "may_comment": includes(role, Role.MEMBER) and is_newest,
        "may_apply": includes(role, Role.MAINTAINER) and is_open and is_newest,
        "may_revert": includes(role, Role.MAINTAINER) and change_set.status == ChangeSet.Status.LANDED,
        "may_reopen": includes(role, Role.MEMBER)
        and change_set.status in (ChangeSet.Status.DISCARDED, ChangeSet.Status.REVERTED),
    }


def review_for(request: HttpRequest, change_set: ChangeSet, *, number: int | None = None) -> Review:
    """Return the review for a piece of its page, compared with the revision that the page is compared with.

    The page sends that along with all it asks for, so that a piece which comes afresh says the same as the one it replaces.
    """
    raw = request.headers.get(COMPARED_WITH, "")
    since = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else None
    if since is not None and not change_set.revisions.filter(number=since).exists():
        since = None
    return load_review(change_set, number=number, since=since)


def context_of(review: Review) -> dict[str, Any]:
    """Return what every piece of the page needs."""
    change_set = review.change_set
    return {
        "workspace": change_set.workspace,
        "change_set": change_set,
        "review": review,
        "header": review.header,
        **rights(change_set, review),
    }


def hunk_view(review: Review, file: FileState, state: HunkState, *, is_whole: bool = False) -> HunkView:
    """Return one hunk with its lines, badges and remarks."""
    lines = shown_lines(state)
    limit = None if is_whole else SHOWN_LINES
    threads = review.threads_of(state.key)
    notes: dict[tuple[str, int], str] = {}
    places = {("old", line.old_no) for line in lines[:limit]} | {
        ("new", line.new_no) for line in lines[:limit]
    }
    loose: list[Thread] = []
    context = context_of(review)
    for thread in threads:
        place = (thread.root.side, thread.root.line)
        if thread.root.line is not None and place in places:
            html = render_to_string("reviews/_thread.html", {**context, "thread": thread})
            notes[(thread.root.side, thread.root.line)] = (
                notes.get((thread.root.side, thread.root.line), "") + html
            )
        else:
            loose.append(thread)
    return HunkView(
        state=state,
        file=file,
        number=file.hunks.index(state) + 1,
        html=hunk_html(file.path, lines, notes=notes, limit=limit),
        badges=words(review.resolved.risks.get(state.split_from or state.key, {}), state.hunk),
        earlier=review.interdiff.earlier.get(state.split_from or state.key)
        if review.interdiff is not None
        else None,
        change=review.interdiff.changes.get(state.split_from or state.key, "new")
        if review.interdiff is not None
        else "",
        loose_threads=loose,
        left_out=0 if is_whole else max(0, len(lines) - SHOWN_LINES),
        summary=summary_of(file.diff, state.hunk),
    )


def file_view(review: Review, file: FileState, *, label: str = "") -> FileView:
    """Return a file with all its hunks."""
    return FileView(state=file, hunks=[hunk_view(review, file, state) for state in file.hunks], label=label)


def file_views(review: Review) -> list[FileView]:
    """Return all files in reading order, the first with their hunks, the others to be fetched."""
    views: list[FileView] = []
    budget = EAGER_LINES
    last = None
    for file in review.resolved.files:
        label = LABELS[file.category] if file.category != last else ""
        last = file.category
        size = sum(min(len(state.hunk.lines), SHOWN_LINES) + 4 for state in file.hunks)
        is_eager = budget > 0 and not file.is_folded and size <= EAGER_FILE_LINES
        if is_eager:
            budget -= size
        views.append(
            file_view(review, file, label=label)
            if is_eager
            else FileView(state=file, hunks=None, label=label)
        )
    return views


def updates(
    request: HttpRequest,
    change_set: ChangeSet,
    *,
    hunk_keys: Iterable[str] = (),
    file_ids: Iterable[str] = (),
    notice: str = "",
    **extra: Any,
) -> HttpResponse:
    """Return the pieces that changed: the header, the rows of the files concerned, these hunks, or these files whole."""
    review = review_for(request, change_set)
    whole = set(file_ids)
    hunks: list[HunkView] = []
    rows: dict[str, FileView] = {}
    for key in hunk_keys:
        file, state = review.resolved.file_and_hunk(key)
        rows[file.id] = FileView(state=file, hunks=None, label="")
        if file.id not in whole:
            hunks.append(hunk_view(review, file, state))
    files = [file_view(review, file) for file in review.resolved.files if file.id in whole]
    rows.update({view.state.id: view for view in files})
    context = {
        **context_of(review),
        "hunks": hunks,
        "files": files,
        "rows": list(rows.values()),
        "notice": notice,
        **extra,
    }
    return render(request, "reviews/_updates.html", context)
