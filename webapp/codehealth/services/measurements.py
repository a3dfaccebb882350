"""Measurements that take long: asked for by anybody's request, done in the background, with progress and cancel."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone

from webapp.codehealth import events
from webapp.codehealth.measuring import Progress
from webapp.codehealth.models import Measurement
from webapp.codehealth.services.trend import fill_trend
from webapp.codehealth.services.whole import refresh_workspace
from webapp.errors import Conflict, Invalid
from webapp.events.publish import publish_on_commit
from webapp.events.registry import periodic
from webapp.workspaces.models import Workspace
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

if TYPE_CHECKING:
    from webapp.accounts.models import User

log = get_logger(__name__)
MAX_COMMITS = 500
NEW_COMMITS = 20
TELL_EVERY_S = 0.4
STALE_AFTER = timedelta(seconds=120)
State, Kind = Measurement.State, Measurement.Kind


class Interrupted(Exception):
    """The process is asked to end; what is at hand is put back, to be begun anew."""


class _Cancelled(Exception):
    """Somebody asked for the measurement to be stopped."""


def start_measurement(
    *, workspace: Workspace, kind: str, requested_by: User | None, commits: int = 0
) -> Measurement:
    """Return a measurement that is waiting to be done; the one that is open, when there is one of this kind.

    Raises:
        Invalid: no or too many commits for a trend.
        Conflict: the workspace is not ready.
    """
    if kind == Kind.TREND and not 1 <= commits <= MAX_COMMITS:
        raise Invalid(f"A trend is over 1 to {MAX_COMMITS} commits.", field="commits")
    if workspace.state != Workspace.State.READY:
        raise Conflict("This workspace is not ready.", state=workspace.state)
    with transaction.atomic():
        found = _open_measurement(workspace, kind)
        if found is None:
            try:
                with transaction.atomic():
                    found = Measurement.objects.create(
                        workspace=workspace, kind=kind, requested_by=requested_by, commits=commits
                    )
            except IntegrityError:  # somebody else asked in this very moment
                found = _open_measurement(workspace, kind)
                if found is None:
                    raise
        elif requested_by is not None and found.state == State.QUEUED and commits > found.commits:
            found.commits, found.requested_by = commits, requested_by
            found.save(update_fields=["commits", "requested_by", "updated_at"])
        _tell(found)
    return found


def _open_measurement(workspace: Workspace, kind: str) -> Measurement | None:
    return Measurement.objects.filter(workspace=workspace, kind=kind, state__in=Measurement.OPEN).first()


def note_commit(workspace: Workspace) -> None:
    """See to it that the newest commits get their points of the trend. Call it in the transaction that records an audit."""
    start_measurement(workspace=workspace, kind=Kind.TREND, requested_by=None, commits=NEW_COMMITS)


@transaction.atomic
def cancel_measurement(*, measurement: Measurement) -> Measurement:
    """Ask for a measurement to be stopped; one that nobody has begun is cancelled at once, one that has ended stays."""
    locked = Measurement.objects.select_for_update().get(pk=measurement.pk)
    if locked.state == State.QUEUED:
        locked.state = State.CANCELLED
    elif locked.state == State.RUNNING:
        locked.is_cancel_asked = True
    else:
        return locked
    locked.save(update_fields=["state", "is_cancel_asked", "updated_at"])
    _tell(locked)
    return locked


def next_measurement() -> Measurement | None:
    """Return the oldest measurement that waits, None when none does."""
    return Measurement.objects.filter(state=State.QUEUED).select_related("workspace").order_by("pk").first()


def run_measurement(measurement: Measurement, *, on_progress: Progress | None = None) -> Measurement:
    """Do the measurement, unless somebody else does it already, and return it as it ended.

    `on_progress` is told how far it is, and may raise `Interrupted`: then it waits again.
    """
    taken = Measurement.objects.filter(pk=measurement.pk, state=State.QUEUED).update(
        state=State.RUNNING, updated_at=timezone.now()
    )
    if not taken:
        return Measurement.objects.get(pk=measurement.pk)
    progress = _Progress(measurement.pk, on_progress)
    try:
        if measurement.kind == Kind.WORKSPACE:
            refresh_workspace(measurement.workspace, progress=progress)
        else:
            fill_trend(measurement.workspace, commits=measurement.commits, progress=progress)
    except Interrupted:
        return _end(measurement.pk, State.QUEUED)
    except _Cancelled:
        return _end(measurement.pk, State.CANCELLED)
    except PyAgentError as error:
        log.info("measuring code health failed", measurement_id=measurement.pk, error=str(error))
        return _end(measurement.pk, State.FAILED, str(error))
    except Exception:
        log.exception("measuring code health failed", measurement_id=measurement.pk)
        return _end(measurement.pk, State.FAILED, "Something went wrong on our side; the log says what.")
    return _end(measurement.pk, State.DONE)


class _Progress:
    """Writes how far a measurement is, a few times a second, and stops it when that was asked for."""

    def __init__(self, measurement_id: int, on_progress: Progress | None) -> None:
        self._measurement_id = measurement_id
        self._on_progress = on_progress
        self._told_at = float("-inf")

    def __call__(self, done: int, total: int) -> None:
        if self._on_progress is not None:
            self._on_progress(done, total)
        if time.monotonic() - self._told_at < TELL_EVERY_S:
            return
        self._told_at = time.monotonic()
        with transaction.atomic():
            Measurement.objects.filter(pk=self._measurement_id).update(
                done=done, total=total, updated_at=timezone.now()
            )
            measurement = Measurement.objects.get(pk=self._measurement_id)
            _tell(measurement)
        if measurement.is_cancel_asked:
            raise _Cancelled


@transaction.atomic
def _end(measurement_id: int, state: str, note: str = "") -> Measurement:
    measurement = Measurement.objects.select_for_update().get(pk=measurement_id)
    measurement.state, measurement.note = state, note[:500]
    if state == State.DONE:
        measurement.done = measurement.total = max(measurement.total, 1)
    measurement.save()
    _tell(measurement)
    return measurement


def _tell(measurement: Measurement) -> None:
    publish_on_commit(
        measurement.workspace_id,
        events.MeasurementChanged(
            measurement_id=measurement.pk,
            kind=measurement.kind,
            state=measurement.state,
            done=measurement.done,
            total=measurement.total,
        ),
    )


@periodic(every_s=60)
def give_up_stale_measurements() -> None:
    """Mark measurements that a restart interrupted as failed, and drop what has long ended."""
    stale = Measurement.objects.filter(state=State.RUNNING, updated_at__lt=timezone.now() - STALE_AFTER)
    for measurement_id in stale.values_list("pk", flat=True):
        _end(measurement_id, State.FAILED, "Interrupted by a restart. Start it again.")
    Measurement.objects.exclude(state__in=Measurement.OPEN).filter(
        updated_at__lt=timezone.now() - timedelta(days=7)
    ).delete()
