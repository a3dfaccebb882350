"""Decisions about hunks: rows, nothing else; no file is touched before somebody applies.

Everybody who decides first takes the change set's row, so that of two people at once the second sees what the first did.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents.plain import storable_text
from webapp.errors import Conflict, Invalid
from webapp.events.publish import publish_on_commit
from webapp.reviews import events
from webapp.reviews.models import ChangeSet, Decision
from webapp.reviews.resolved import HunkState, Resolved, first_change, resolve_change_set
from webapp.reviews.services.teaching import teach_decision, unteach
from workers.changes.edits import Surroundings
from workers.changes.hunks import split_hunk

Verdict = Decision.Verdict
REASON_CHARS = 500
EDIT_LINES = 20_000
_KEY = re.compile(r"^[0-9a-f]{1,64}\Z")
EDIT_CHARS = 1_000_000


def lock_open(change_set: ChangeSet) -> ChangeSet:
    """Return the change set's row, locked until the transaction ends.

    Raises:
        Conflict: it is not open (any more).
    """
    locked = ChangeSet.objects.select_for_update().get(pk=change_set.pk)
    if locked.status != ChangeSet.Status.OPEN:
        raise Conflict(
            f"This review is {locked.get_status_display().lower()}; nothing can be decided.",
            status=locked.status,
        )
    locked.workspace = change_set.workspace
    return locked


@transaction.atomic
def decide_hunk(
    *,
    change_set: ChangeSet,
    hunk_key: str,
    verdict: str,
    decided_by: User,
    edited_new_lines: Sequence[str] | None = None,
    split_after: Sequence[int] | None = None,
    reason: str = "",
    seen: int | None = None,
) -> HunkState:
    """Return the hunk as it stands after this decision; the same decision twice is one. After a split: its first part.

    Args:
        verdict: One of `Decision.Verdict`; `pending` takes whatever was decided off the hunk, and can itself be undone.
        edited_new_lines: With `edited`: what the new side of the hunk is to be, context lines included.
        split_after: With `split`: indexes of lines of the hunk after which it is cut.
        reason: Why, for a rejection; the agent is told.
        seen: Id of the decision that the person saw on this hunk, 0 for none; None decides whatever was there.

    Raises:
        NotFound: the newest revision has no such hunk.
        Conflict: the change set is not open, or somebody has decided otherwise since `seen`.
        Invalid: the verdict does not fit the hunk.
    """
    change_set = lock_open(change_set)
    resolved = resolve_change_set(change_set)
    hunk = resolved.find(hunk_key)
    wanted = _wanted(change_set, hunk, verdict, edited_new_lines, split_after, reason, decided_by)
    if _is_same(hunk, wanted):
        return hunk
    newest = hunk.decision.pk if hunk.decision is not None else 0
    if seen is not None and seen != newest:
        raise _overtaken(hunk)
    wanted.save(force_insert=True)
    teach_decision(change_set, [hunk], wanted)
    _announce(change_set, [hunk], verdict, decided_by, resolved)
    after = resolve_change_set(change_set)
    if verdict == Verdict.SPLIT:
        return next(part for part in after if part.split_from == hunk_key)
    return after.find(hunk_key)


def _wanted(
    change_set: ChangeSet,
    hunk: HunkState,
    verdict: str,
    edited: Sequence[str] | None,
    split_after: Sequence[int] | None,
    reason: str,
    by: User,
) -> Decision:
    if verdict not in Verdict.values:
        raise Invalid(f"A decision is one of {', '.join(Verdict.values)}.")
    if (edited is not None) != (verdict == Verdict.EDITED):
        raise Invalid("The edited lines belong to the decision “edited”, and to no other.")
    if (split_after is not None) != (verdict == Verdict.SPLIT):
        raise Invalid("The places to cut belong to the decision “split”, and to no other.")
    if edited is not None:
        edited = _checked_edit(hunk, edited)
    if split_after is not None:
        split_after = _checked_cuts(hunk, split_after)
    return Decision(
        change_set=change_set,
        hunk_key=hunk.key,
        verdict=verdict,
        edited_new_lines=edited,
        edited_around=None if edited is None else _around(hunk),
        split_after=split_after,
        reason=storable_text(reason.strip())[:REASON_CHARS],
        batch=secrets.token_hex(16),
        decided_by=by,
    )


def _checked_edit(hunk: HunkState, lines: Sequence[str]) -> list[str]:
    if not hunk.hunk.lines:
        raise Invalid("This change has no text to edit; accept or reject it.")
    if len(lines) > EDIT_LINES or sum(map(len, lines)) > EDIT_CHARS:
        raise Invalid(f"An edit holds at most {EDIT_LINES:,} lines and {EDIT_CHARS:,} characters.")
    if any("\n" in line for line in lines):
        raise Invalid("A line cannot hold a line break.")
    if any("\x00" in line or any(0xD800 <= ord(c) <= 0xDFFF for c in line) for line in lines):
        raise Invalid("This edit holds characters that cannot be kept (NUL, or bytes that are no UTF-8).")
    return list(lines)


def _checked_cuts(hunk: HunkState, cuts: Sequence[int]) -> list[int]:
    wanted = sorted(set(cuts))
    if not wanted or wanted[0] < 0 or wanted[-1] >= len(hunk.hunk.lines) - 1:
        raise Invalid("Choose lines of the hunk to cut after, not its last.")
    if len(split_hunk(hunk.hunk, wanted)) < 2:
        raise Invalid("A cut there leaves all changes on one side.")
    return [cut - first_change(hunk.hunk) for cut in wanted]


def _around(hunk: HunkState) -> list[list[str]]:
    around = Surroundings.of(hunk.hunk)
    return [list(around.before), list(around.after)]


def _is_same(hunk: HunkState, wanted: Decision) -> bool:
    current = hunk.decision
    if current is None:
        return wanted.verdict == Verdict.PENDING
    edited = list(hunk.edited) if hunk.edited is not None else None
    return (current.verdict, edited, current.split_after) == (
        wanted.verdict,
        wanted.edited_new_lines,
        wanted.split_after,
    ) and (not wanted.reason or current.reason == wanted.reason)


def _overtaken(hunk: HunkState) -> Conflict:
    decision = hunk.decision
    if decision is None:
        return Conflict(
            "Somebody took the decision on this hunk back in the meantime.",
            verdict=Verdict.PENDING,
            decision_id=0,
        )
    who = decision.decided_by.display_name if decision.decided_by else "Somebody"
    what = "edited and accepted" if decision.verdict == Verdict.EDITED else decision.verdict
    return Conflict(
        f"{who} {what} this hunk in the meantime.", verdict=decision.verdict, decision_id=decision.pk
    )


def _announce(
    change_set: ChangeSet, hunks: Sequence[HunkState], verdict: str, by: User, resolved: Resolved
) -> None:
    publish_on_commit(
        change_set.workspace_id,
        events.HunksDecided(
            change_set_id=change_set.pk,
            hunk_keys=[hunk.key for hunk in hunks],
            paths=sorted({storable_text(hunk.hunk.path) for hunk in hunks}),
            verdict=verdict,
            by_id=by.pk,
            by=by.display_name,
        ),
    )


@transaction.atomic
def decide_file(
    *, change_set: ChangeSet, path: str | None, verdict: str, decided_by: User, reason: str = ""
) -> int:
    """Return how many hunks of the file at `path` (None: of the whole revision) got this verdict; undone as one.

    An edited hunk counts as accepted already and keeps its edit.

    Raises:
        NotFound: the newest revision has no such file.
        Conflict: the change set is not open.
        Invalid: only accepted, rejected and pending can be given to a whole file.
    """
    if verdict not in (Verdict.ACCEPTED, Verdict.REJECTED, Verdict.PENDING):
        raise Invalid("A whole file is accepted, rejected or pending.")
    change_set = lock_open(change_set)
    resolved = resolve_change_set(change_set)
    hunks = list(resolved) if path is None else list(resolved.file(path).hunks)
    kept = {verdict, Verdict.EDITED} if verdict == Verdict.ACCEPTED else {verdict}
    wanted = [hunk for hunk in hunks if hunk.verdict not in kept]
    if not wanted:
        return 0
    batch = secrets.token_hex(16)
    now = timezone.now()
    decisions = [
        Decision(
            change_set=change_set, hunk_key=hunk.key, verdict=verdict, reason=storable_text(reason.strip())[:REASON_CHARS],
            batch=batch, decided_by=decided_by, decided_at=now,
        )
        for hunk in wanted
    ]  # fmt: skip
    Decision.objects.bulk_create(decisions)
    teach_decision(change_set, wanted, decisions[0])
    _announce(change_set, wanted, verdict, decided_by, resolved)
    return len(wanted)


@transaction.atomic
def undo_decision(*, change_set: ChangeSet, undone_by: User, hunk_key: str | None = None) -> list[str]:
    """Return the keys of the hunks whose newest decision was taken back; what was decided before it counts again.

    Args:
        hunk_key: Take back the newest decision on this hunk, whoever made it, or the split it came from; None: the person's own
            newest act on this change set. An act on many hunks is taken back as one where it is the newest on each.

    Raises:
        Invalid: there is nothing to undo.
        Conflict: the change set is not open, or somebody has decided anew about all of it since.
    """
    if hunk_key is not None and not _KEY.match(hunk_key):
        raise Invalid("That is not the key of a hunk.")
    change_set = lock_open(change_set)
    rows = change_set.decisions.filter(undone_at=None).order_by("-id")
    if hunk_key is not None:
        newest = rows.filter(hunk_key=hunk_key).first() or _split_behind(change_set, hunk_key)
    else:
        newest = rows.filter(decided_by=undone_by).first()
    if newest is None:
        raise Invalid("There is nothing to undo here.")
    overtaken = set(
        rows.filter(pk__gt=newest.pk).exclude(batch=newest.batch).values_list("hunk_key", flat=True)
        if hunk_key is None
        else ()
    )
    act = [
        row for row in rows.filter(batch=newest.batch) if hunk_key is None or row.hunk_key == newest.hunk_key
    ]
    undone = [row for row in act if row.hunk_key not in overtaken]
    if not undone:
        raise Conflict("Somebody has decided anew about this since; undo at the hunk itself.")
    Decision.objects.filter(pk__in=[row.pk for row in undone]).update(undone_at=timezone.now())
    keys = [row.hunk_key for row in undone]
    unteach(change_set, undone)
    publish_on_commit(
        change_set.workspace_id,
        events.HunksDecided(
            change_set_id=change_set.pk,
            hunk_keys=keys,
            paths=[],
            verdict="undone",
            by_id=undone_by.pk,
            by=undone_by.display_name,
        ),
    )
    return keys


def _split_behind(change_set: ChangeSet, hunk_key: str) -> Decision | None:
    """Return the split that made this part, so that `u` on an undecided part puts the hunk together again."""
    part = next((hunk for hunk in resolve_change_set(change_set) if hunk.key == hunk_key), None)
    if part is None or not part.split_from:
        return None
    return (
        change_set.decisions.filter(undone_at=None, hunk_key=part.split_from, verdict=Verdict.SPLIT)
        .order_by("-id")
        .first()
    )
