"""What is done at start-up and now and then: finish or roll back landings that a crash cut short, audit what was not."""

from __future__ import annotations

from webapp.reviews.models import LandingIntent
from webapp.reviews.services.landing import LANDED, audit, landing_lock, landing_of, settle
from webapp.workspaces.repositories import root_of
from workers.changes.errors import WorkspaceBusy
from workers.changes.landing import recover_landing
from workers.changes.repository import Repository
from workers.telemetry.logging import get_logger

log = get_logger(__name__)


def recover_open_intents() -> list[tuple[int, str]]:
    """Settle every open intent whose process is gone; return what became of each as (intent id, outcome).

    Safe to call at any time and from several processes: a landing that is at work holds its workspace's lock and is left alone.
    One that cannot be settled is logged and tried again the next time.
    """
    settled: list[tuple[int, str]] = []
    for intent in LandingIntent.objects.filter(finished_at=None).select_related("change_set", "intended_by"):
        workspace_id = intent.change_set.workspace_id
        try:
            with landing_lock(workspace_id, timeout_s=0.0):
                # Read again: while we waited it may have been settled by whoever held the lock.
                fresh = LandingIntent.objects.get(pk=intent.pk)
                if fresh.finished_at is not None:
                    continue
                outcome = recover_landing(Repository(root_of(workspace_id)), landing_of(fresh))
                settle(fresh, outcome)
        except WorkspaceBusy:
            continue
        except Exception:
            log.exception("open landing not settled; it is tried again", intent_id=intent.pk)
            continue
        log.warning(
            "landing settled after a crash",
            intent_id=intent.pk,
            change_set_id=intent.change_set_id,
            outcome=outcome,
        )
        settled.append((intent.pk, outcome))
    return settled


def audit_landings() -> int:
    """Audit landed commits that have no audit yet; return how many were."""
    rows = LandingIntent.objects.filter(outcome=LANDED, audited_at=None).select_related(
        "change_set__workspace"
    )[:20]
    return sum(audit(intent, intent.change_set.workspace) for intent in rows)
