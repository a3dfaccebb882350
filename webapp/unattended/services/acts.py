"""Who did what with unattended work, written down in the transaction that does it, and told to open pages."""

from __future__ import annotations

from webapp.accounts.access import used_key
from webapp.accounts.models import User
from webapp.events.publish import publish_on_commit
from webapp.unattended.events import UnattendedChanged
from webapp.unattended.models import Act, Calling
from workers.telemetry.logging import get_logger

log = get_logger(__name__)


def announce(item: Calling) -> None:
    """Tell the workspace, once the transaction commits, that the item has changed."""
    publish_on_commit(item.workspace_id, UnattendedChanged(kind=item.kind, item_id=item.pk))


def record(item: Calling, verb: str, *, by: User | None, note: str = "") -> None:
    """Write the act down and tell the workspace; `by` is None for what PyAgent does by itself."""
    key = used_key(by) if by is not None else None
    if key is not None:
        note = "; ".join(filter(None, (note, f"with the key “{key.name}”")))
    Act.objects.create(
        workspace_id=item.workspace_id,
        kind=item.kind,
        item_id=item.pk,
        name=item.name,
        verb=verb,
        by=by,
        note=note[:500],
    )
    announce(item)
    log.info(
        "unattended work", kind=item.kind, item_id=item.pk, verb=verb, by=by.pk if by else None, note=note
    )
