"""Landing what was accepted, and taking it out again.

The order makes it safe: git objects first (nobody sees them), then the intent as a row, then files and branch in one
transaction of the engine, then the row "landed". Whoever dies in between leaves an open intent, and `recovery` finishes or
rolls back by looking at the repository. One landing at a time per workspace: a lock that the kernel takes off a dead process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents.plain import one_line, storable_text
from webapp.codehealth.checking import require_limits
from webapp.codehealth.services import audit_commit
from webapp.errors import Conflict, Invalid
from webapp.events.publish import publish_on_commit
from webapp.reviews import events
from webapp.reviews.models import ChangeSet, LandingIntent, Revision
from webapp.reviews.resolved import Resolved, resolve_change_set
from webapp.reviews.services.closing import announce
from webapp.reviews.services.commenting import open_must_fixes
from webapp.reviews.services.rebasing import carry_over
from webapp.reviews.services.teaching import teach_outcome
from webapp.workspaces.events import FilesChanged
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import author_of, repository_of, root_of
from workers.changes import landing
from workers.changes.errors import RefMoved
from workers.changes.landing import PreparedLanding
from workers.changes.lock import hold_lock
from workers.changes.paths import to_portable
from workers.changes.repository import Repository
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
Status = ChangeSet.Status
LANDED, ROLLED_BACK = "landed", "rolled_back"


@contextmanager
def landing_lock(workspace_id: int, *, timeout_s: float) -> Iterator[None]:
    """Hold the one right to land in this workspace; raises WorkspaceBusy when another keeps it for so long."""
    with hold_lock(root_of(workspace_id) / "landing.lock", timeout_s=timeout_s):
        yield


def apply(
    *, change_set: ChangeSet, applied_by: User, diff_hash: str, selection: str | None = None
) -> ChangeSet:
    """Return the change set, its accepted hunks landed as one commit.

    Args:
        diff_hash: Of the revision that the person saw. Whatever else is newest by now is refused.
        selection: Fingerprint of the accepted hunks that the person saw; None for whatever is accepted.

    Raises:
        Invalid: nothing is accepted, or a must-fix remark is open.
        Conflict: not what the person saw; the change set is not open; or the base moved, and its hunks have been carried over
            to it (`is_carried_over`), to be looked at again.
        LandingConflict: it overlaps with edits that are not committed; nothing changed.
        LimitsBroken: the workspace requires limits on code health, and what is accepted would break one; nothing changed.
    """
    workspace = change_set.workspace
    with landing_lock(workspace.pk, timeout_s=30.0):
        repository = repository_of(workspace)
        resolved = _check_seen(change_set, diff_hash, selection)
        if carried := carry_over(change_set=change_set, repository=repository, carried_by=applied_by):
            raise _moved(carried)
        prepared = _prepare(change_set, repository, resolved, applied_by)
        require_limits(workspace, repository, prepared.old_head, prepared.commit)
        intent = _intend(change_set, prepared, applied_by, seen=resolved)
        _execute(intent, repository, prepared, label=f"apply change set {change_set.pk}")
    return _after(intent)


def _moved(carried: Revision) -> Conflict:
    lost = len(carried.conflicts)
    found = "every hunk still fits"
    if lost:
        found = (
            "1 hunk no longer fits and is shown as a conflict"
            if lost == 1
            else f"{lost} hunks no longer fit and are shown as conflicts"
        )
    return Conflict(
        f"The files have changed since this was written. It was carried over to them: {found}. Look again, then apply.",
        is_carried_over=True,
        number=carried.number,
        conflicts=lost,
    )


def _check_seen(change_set: ChangeSet, diff_hash: str, selection: str | None) -> Resolved:
    """Return what is to land, when it is what the person saw."""
    fresh = ChangeSet.objects.get(pk=change_set.pk)
    if fresh.status != Status.OPEN:
        raise Conflict(f"This review is {fresh.get_status_display().lower()}.", status=fresh.status)
    resolved = resolve_change_set(fresh)
    if resolved.revision.diff_hash != diff_hash:
        raise Conflict(
            "There is a newer revision than the one you saw. Look at it first.",
            number=resolved.revision.number,
        )
    if selection is not None and selection != resolved.selection:
        raise Conflict("Somebody has decided about a hunk since you looked. Look again, then apply.")
    if not resolved.taken:
        raise Invalid("No hunk is accepted; there is nothing to apply.")
    if open_count := open_must_fixes(fresh):
        raise Invalid(
            f"{open_count} must-fix comment{'s are' if open_count > 1 else ' is'} not resolved.",
            must_fix=open_count,
        )
    return resolved


def _prepare(change_set: ChangeSet, repository: Repository, resolved: Resolved, by: User) -> PreparedLanding:
    revision = resolved.revision
    _check_branch(change_set, repository, "made for")
    return landing.prepare(
        repository,
        base=revision.base_commit,
        files=resolved.diffs,
        accepted=[hunk.choice for hunk in resolved.taken],
        message=_message(change_set, resolved),
        author=author_of(by),
        trailers=_trailers(change_set, by),
    )


def _check_branch(change_set: ChangeSet, repository: Repository, what: str) -> None:
    branch = storable_text(repository.branch())
    if branch != change_set.target_branch:
        raise Conflict(
            f"This was {what} the branch {change_set.target_branch}; the workspace is on {branch}. Switch first.",
            target_branch=change_set.target_branch,
        )


def _message(change_set: ChangeSet, resolved: Resolved) -> str:
    parts = [one_line(change_set.title, limit=120)]
    if change_set.summary:
        parts.append(change_set.summary.strip()[:4_000])
    if len(resolved.taken) < resolved.hunk_count:
        parts.append(f"{len(resolved.taken)} of {resolved.hunk_count} hunks were accepted.")
    return "\n\n".join(parts)


def _trailers(change_set: ChangeSet, by: User) -> list[tuple[str, str]]:
    author = author_of(by)
    return [
        ("Change-Set", str(change_set.pk)),
        ("Agent", change_set.agent),
        ("Run", str(change_set.run_id or "")),
        ("Accepted-by", f"{author.name} <{author.email}>"),
    ]


@transaction.atomic
def _intend(
    change_set: ChangeSet,
    prepared: PreparedLanding,
    by: User,
    *,
    seen: Resolved | None,
    is_revert: bool = False,
) -> LandingIntent:
    """Write the intent, when the change set still is what it was while the commit was prepared."""
    locked = ChangeSet.objects.select_for_update().get(pk=change_set.pk)
    if locked.status != (Status.LANDED if is_revert else Status.OPEN):
        raise Conflict(f"This review is {locked.get_status_display().lower()} by now.", status=locked.status)
    if seen is not None:
        now = resolve_change_set(locked)
        if (now.revision.pk, now.selection) != (seen.revision.pk, seen.selection) or open_must_fixes(locked):
            raise Conflict("Somebody has decided or commented in this very moment. Look again, then apply.")
    locked.status = Status.LANDING
    locked.save(update_fields=["status", "updated_at"])
    announce(locked, by.display_name)
    return LandingIntent.objects.create(
        change_set=locked, prepared=prepared.to_dict(), is_revert=is_revert, intended_by=by
    )


def _execute(intent: LandingIntent, repository: Repository, prepared: PreparedLanding, *, label: str) -> None:
    """Move files and branch; the intent's row says how it ended, also when it is refused."""
    try:
        landing.execute(repository, prepared, label)
    except PyAgentError as error:
        outcome = landing.recover_landing(repository, prepared)
        settle(intent, outcome)
        if outcome == LANDED:
            return
        if isinstance(error, RefMoved):
            raise Conflict("The branch moved in this very moment; nothing was changed. Try again.") from error
        raise
    else:
        settle(intent, LANDED)


@transaction.atomic
def settle(intent: LandingIntent, outcome: str) -> None:
    """Write how an intent ended, once: the change set is landed or reverted, or stands as before."""
    row = LandingIntent.objects.select_for_update().get(pk=intent.pk)
    if row.finished_at is not None:
        return
    change_set = ChangeSet.objects.select_for_update().get(pk=row.change_set_id)
    row.outcome, row.finished_at = outcome, timezone.now()
    row.save(update_fields=["outcome", "finished_at"])
    by = row.intended_by.display_name if row.intended_by else ""
    prepared = landing_of(row)
    if outcome != LANDED:
        change_set.status = Status.LANDED if row.is_revert else Status.OPEN
    elif row.is_revert:
        change_set.status, change_set.reverted_commit = Status.REVERTED, prepared.commit
    else:
        change_set.status, change_set.landed_commit = Status.LANDED, prepared.commit
        change_set.landed_by, change_set.landed_at = row.intended_by, timezone.now()
        change_set.reverted_commit = ""
    change_set.save()
    teach_outcome(change_set)
    announce(change_set, by)
    if outcome == LANDED:
        paths = [to_portable(path) for path in prepared.paths]
        publish_on_commit(
            change_set.workspace_id,
            events.ChangeSetLanded(
                change_set_id=change_set.pk, commit=prepared.commit, branch=change_set.target_branch, paths=paths, by=by,
                is_revert=row.is_revert,
            ),
        )  # fmt: skip
        publish_on_commit(
            change_set.workspace_id,
            FilesChanged(cause="reverted" if row.is_revert else "landed", paths=paths[:500], by=by),
        )


def landing_of(intent: LandingIntent) -> PreparedLanding:
    """Return the prepared landing that the row keeps."""
    return PreparedLanding.from_dict(intent.prepared)


def _after(intent: LandingIntent) -> ChangeSet:
    """Return the landed change set, audited. An audit that fails is tried again by housekeeping; the landing stands."""
    change_set = ChangeSet.objects.select_related("workspace", "landed_by", "run").get(
        pk=intent.change_set_id
    )
    audit(intent, change_set.workspace)
    return change_set


def audit(intent: LandingIntent, workspace: Workspace) -> bool:
    """Audit the commit of a finished landing and note that; return whether it could be."""
    try:
        audit_commit(workspace, landing_of(intent).commit, cause="reverted" if intent.is_revert else "landed")
    except (PyAgentError, OSError):
        log.exception("landed commit not audited; it is tried again", change_set_id=intent.change_set_id)
        return False
    LandingIntent.objects.filter(pk=intent.pk).update(audited_at=timezone.now())
    return True


def revert(*, change_set: ChangeSet, reverted_by: User) -> ChangeSet:
    """Return the change set, what it landed taken out again by a commit of its own.

    Raises:
        Conflict: it is not landed, or another branch is checked out.
        LandingConflict: later commits or edits that are not committed touch the same lines; nothing changed.
    """
    workspace = change_set.workspace
    with landing_lock(workspace.pk, timeout_s=30.0):
        repository = repository_of(workspace)
        fresh = ChangeSet.objects.get(pk=change_set.pk)
        if fresh.status != Status.LANDED:
            raise Conflict(f"This review is {fresh.get_status_display().lower()}.", status=fresh.status)
        _check_branch(fresh, repository, "landed on")
        prepared = landing.revert(
            repository,
            fresh.landed_commit,
            author=author_of(reverted_by),
            message=f"Revert “{one_line(fresh.title, limit=110)}”\n\nThis reverts commit {fresh.landed_commit}.",
            trailers=_trailers(fresh, reverted_by),
        )
        intent = _intend(change_set, prepared, reverted_by, seen=None, is_revert=True)
        _execute(intent, repository, prepared, label=f"revert change set {change_set.pk}")
    return _after(intent)
