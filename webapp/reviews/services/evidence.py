"""Commands really run on exactly one tree of a change set. The engine runs them; rows tell how it went."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import redis
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from webapp.accounts.models import User
from webapp.agents.leases import Listener
from webapp.agents.plain import storable_text
from webapp.errors import Conflict, Invalid
from webapp.events.publish import publish_on_commit
from webapp.reviews import events
from webapp.reviews.models import ChangeSet, Evidence, Revision
from webapp.reviews.resolved import resolve_change_set
from webapp.reviews.services.deciding import lock_open
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import repository_of
from workers import queue
from workers.changes.hunks import build_tree
from workers.events import EvidenceFinished, EvidenceInterrupted, EvidenceProgressed
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
Status = Evidence.Status
COMMAND_CHARS = 4_000
OUTPUT_CHARS = 65_536
BATCH = 200
WALL_S = 600.0
# Queued behind other work it may wait for as long as that takes.
WAITS_AT_MOST = timedelta(seconds=WALL_S + 120)
RING_AGAIN = timedelta(seconds=15)
# A worker tells of itself every ten seconds, and keeps its claim on top of that.
SILENT_AFTER = timedelta(seconds=45)
MAX_LOSSES = 3
BROKER_AWAY = (OperationalError, redis.RedisError, OSError)


def run_tests_on_accepted(
    *, change_set: ChangeSet, requested_by: User, command: str, is_whole: bool = False
) -> Evidence:
    """Return the row of a command that is about to run on the accepted hunks alone (`is_whole`: on the whole revision).

    The files are those of the base with exactly these hunks; building them takes milliseconds, the command runs in a worker.

    Raises:
        Invalid: no command, or no hunk is accepted.
        Conflict: the change set is not open, or a command is running on it already.
    """
    command = _clean(command)
    resolved = resolve_change_set(change_set)
    revision = resolved.revision
    choices = [hunk.choice for hunk in resolved.taken]
    if not choices and not is_whole:
        raise Invalid("No hunk is accepted yet; there is nothing to run on.")
    repository = repository_of(change_set.workspace)
    tree = (
        revision.tree if is_whole else build_tree(repository, revision.base_commit, resolved.diffs, choices)
    )
    with transaction.atomic():
        lock_open(change_set)
        if Evidence.objects.filter(revision__change_set=change_set, status=Status.RUNNING).exists():
            raise Conflict("A command is running on this change set already. Wait for it, or cancel it.")
        evidence = Evidence.objects.create(
            revision=revision,
            tree=tree,
            subset=None if is_whole else [choice.key for choice in choices],
            selection="" if is_whole else resolved.selection,
            command=command,
            requested_by=requested_by,
        )
        _announce(evidence)
        transaction.on_commit(partial(_submit, evidence.pk), robust=True)
    return evidence


def run_on_commit(*, workspace: Workspace, commit: str, requested_by: User, command: str) -> Evidence:
    """Return the row of a command that is about to run on a commit of the workspace, where nothing is proposed. In a transaction.

    Raises:
        Invalid: no command.
    """
    evidence = Evidence.objects.create(
        workspace=workspace,
        tree=repository_of(workspace).tree_of(commit),
        command=_clean(command),
        requested_by=requested_by,
    )
    transaction.on_commit(partial(_submit, evidence.pk), robust=True)
    return evidence


def _clean(command: str) -> str:
    command = storable_text(command.strip())
    if not command or len(command) > COMMAND_CHARS:
        raise Invalid(f"Give a command of at most {COMMAND_CHARS:,} characters.")
    return command


def _workspace_id(evidence: Evidence) -> int:
    if evidence.revision is not None:
        return evidence.revision.change_set.workspace_id
    assert evidence.workspace_id is not None  # noqa: S101 - the table holds that it has one of both
    return evidence.workspace_id


def _submit(evidence_id: int) -> None:
    evidence = Evidence.objects.select_related("revision__change_set").get(pk=evidence_id)
    job = queue.EvidenceJob(
        evidence_id=evidence.pk,
        workspace_id=_workspace_id(evidence),
        tree=evidence.tree,
        command=evidence.command,
        wall_s=WALL_S,
    )
    try:
        queue.submit_evidence(job)
    except BROKER_AWAY as error:
        log.warning("broker away; evidence not started", evidence_id=evidence_id, error=str(error))
        _finish(
            evidence_id,
            Status.LOST,
            note="The queue does not answer at the moment. Run it again in a minute.",
        )


def _announce(evidence: Evidence) -> None:
    if evidence.revision is None:
        return  # no review shows it; who asked for it looks at the row
    change_set = evidence.revision.change_set
    publish_on_commit(
        change_set.workspace_id,
        events.EvidenceChanged(change_set_id=change_set.pk, evidence_id=evidence.pk, status=evidence.status),
    )


def cancel_evidence(*, evidence: Evidence) -> Evidence:
    """Ask the worker to end the command; return the row, which changes when it has.

    Raises:
        Conflict: it has ended already.
    """
    if evidence.status != Status.RUNNING:
        raise Conflict("This command has ended already.", status=evidence.status)
    try:
        queue.cancel_evidence(evidence.pk)
    except BROKER_AWAY as error:
        raise Conflict("The queue does not answer at the moment; try again.") from error
    return evidence


@transaction.atomic
def record_evidence(event: EvidenceProgressed | EvidenceFinished) -> None:
    """Write what a worker says about a command. What comes after its end changes nothing."""
    evidence = _running(event.evidence_id)
    if evidence is None:
        return
    evidence.output = storable_text(event.output, limit=OUTPUT_CHARS)
    evidence.begun_at = evidence.begun_at or timezone.now()
    if isinstance(event, EvidenceFinished):
        evidence.status = event.status
        evidence.exit_code = event.exit_code
        evidence.duration_ms = max(0, int(event.duration_ms))
        evidence.note = storable_text(event.note)[:300]
    evidence.save()
    _announce(evidence)


@transaction.atomic
def record_interrupted(event: EvidenceInterrupted) -> None:
    """The process that ran a command has died: it is rung for again, or given up. Told again it changes nothing."""
    evidence = _running(event.evidence_id)
    is_begun = evidence is not None and evidence.begun_at is not None
    if is_begun and _is_to_run_again(event.evidence_id, timezone.now()):
        transaction.on_commit(partial(_submit, event.evidence_id), robust=True)


def _running(evidence_id: int) -> Evidence | None:
    rows = Evidence.objects.select_for_update(of=("self",)).select_related("revision__change_set")
    return rows.filter(pk=evidence_id, status=Status.RUNNING).first()


@transaction.atomic
def _finish(evidence_id: int, status: str, *, note: str) -> None:
    evidence = _running(evidence_id)
    if evidence is not None:
        evidence.status, evidence.note = status, note
        evidence.save()
        _announce(evidence)


_listener = Listener()


def reap_evidence() -> None:
    """Housekeeping: ring again for commands that nobody runs; one that lost its worker too often says so.

    The broker may forget everything, and a whole worker may be killed: the row knows what was asked. No worker is judged
    before it could have been heard for as long as it may be silent; ringing twice does no harm.
    """
    heard_for_s = _listener.heard_for_s()
    if heard_for_s is None:
        return
    now = timezone.now()
    quiet = Evidence.objects.filter(status=Status.RUNNING, heard_at__lt=now - RING_AGAIN)
    for evidence in quiet.order_by("pk")[:BATCH]:
        is_begun = evidence.begun_at is not None
        may_judge = heard_for_s >= SILENT_AFTER.total_seconds() and evidence.heard_at < now - SILENT_AFTER
        if evidence.heard_at < now - WAITS_AT_MOST:
            _finish(evidence.pk, Status.LOST, note="Its worker has not been heard of for too long.")
        elif (may_judge or not is_begun) and not _is_claimed(evidence.pk):
            _take_up_again(evidence.pk, now)


def _is_claimed(evidence_id: int) -> bool:
    try:
        return queue.is_evidence_claimed(evidence_id)
    except redis.RedisError:
        return True  # Redis went away in this very moment: nobody knows


def _take_up_again(evidence_id: int, now: datetime) -> None:
    if _is_to_run_again(evidence_id, now):
        _submit(evidence_id)


def _is_to_run_again(evidence_id: int, now: datetime) -> bool:
    """Count the loss and return whether the command has another try."""
    with transaction.atomic():
        evidence = _running(evidence_id)
        if evidence is None:
            return False
        if evidence.begun_at is not None:
            evidence.losses += 1
        note = ""
        if evidence.losses >= MAX_LOSSES:
            note = f"Its worker was lost {MAX_LOSSES} times, most likely because of this command."
        elif evidence.begun_at is None and evidence.created_at < now - WAITS_AT_MOST:
            note = "No worker took it for too long."
        evidence.begun_at = None
        if note:
            evidence.status, evidence.note = Status.LOST, note
        evidence.save()
        _announce(evidence)
    if not note:
        log.info("evidence is rung for again", evidence_id=evidence_id, losses=evidence.losses)
    return not note


def suggested_command(revision: Revision) -> str:
    """Return the command to offer: the newest that a person ran in this workspace, else what the files suggest."""
    workspace = revision.change_set.workspace
    # An agent's evidence is told shortly ("… (7 files)") and need not run as it is written.
    newest = (
        Evidence.objects.filter(revision__change_set__workspace=workspace, requested_by__isnull=False)
        .order_by("-id")
        .values_list("command", flat=True)
        .first()
    )
    if newest:
        return newest
    files = repository_of(workspace).files
    for path, command in _SIGNS:
        if files.exists(path):
            return command
    return ""


_SIGNS = (
    ("Cargo.toml", "cargo test"),
    ("go.mod", "go test ./..."),
    ("package.json", "npm test"),
    ("tests", "python3 -m pytest -q"),
    ("test", "python3 -m unittest discover -q"),
    ("Makefile", "make test"),
    ("pyproject.toml", "python3 -m pytest -q"),
    ("setup.py", "python3 -m pytest -q"),
)
