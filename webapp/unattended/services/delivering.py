"""What a webhook was sent becomes a run: once, however often it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import orjson
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from webapp import vault
from webapp.agents.models import Run
from webapp.agents.plain import sentence, storable_text
from webapp.errors import Conflict, Invalid, NotFound, TooMany
from webapp.events.counting import count_within
from webapp.unattended import templating
from webapp.unattended.models import Delivery, Webhook
from webapp.unattended.proofs import Sent, is_proven
from webapp.unattended.services import calling
from webapp.unattended.services.acts import announce
from webapp.unattended.services.webhooks import switch_webhook
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
Outcome = Delivery.Outcome
MAX_BODY_BYTES: Final = 1024 * 1024
PER_MINUTE: Final = 60
"""Deliveries of one webhook; more are asked to wait."""
REFUSED_PER_MINUTE: Final = 30
"""Calls from one address that prove nothing; after that nobody looks at what comes from there."""
MINUTE_S: Final = 60
KEEP: Final = timedelta(days=90)
KEEP_AT_MOST: Final = 10_000
ID_CHARS: Final = 100


def receive(public_id: str, *, headers: Mapping[str, str], body: bytes, address: str) -> str:
    """Return what became of a call: `started`, `ignored` or `seen` (it had been taken before).

    Raises:
        NotFound: no such webhook, switched off, or the call does not prove itself; nobody learns which.
        TooMany: too often, by the sender's address or with this webhook.
        Invalid: a call that has proved itself, but is no JSON.
        Conflict: the run cannot be started now; the same call may be sent again.
    """
    webhook = _proven(public_id, Sent.read(headers, body), address)
    if count_within(f"pyagent:hooks:{webhook.pk}", MINUTE_S) > PER_MINUTE:
        raise TooMany(f"A webhook takes {PER_MINUTE} deliveries a minute.", retry_after_s=MINUTE_S)
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise Invalid("Send JSON, with the content type application/json.")
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid("The body is not valid JSON.") from error
    delivery = _take(webhook, Sent.read(headers, body), headers, payload)
    if delivery is None:
        return "seen"
    if delivery.outcome == Outcome.FAILED:
        raise Conflict(delivery.note)
    return delivery.outcome


def _proven(public_id: str, sent: Sent, address: str) -> Webhook:
    refused_key = f"pyagent:hooks:refused:{address}"
    webhook = (
        Webhook.objects.select_related("workspace", "owner", "channel").filter(public_id=public_id).first()
    )
    if is_proven(webhook, _secret_of(webhook), sent, now=timezone.now()) and webhook is not None:
        reason = calling.lost_rights(webhook)
        if webhook.is_enabled and not reason:
            return webhook
        if webhook.is_enabled:
            switch_webhook(webhook=webhook, is_on=False, by=None, note=reason)
    elif count_within(refused_key, MINUTE_S) > REFUSED_PER_MINUTE:
        raise TooMany("Too many calls that prove nothing.", retry_after_s=MINUTE_S)
    raise NotFound


def _secret_of(webhook: Webhook | None) -> str | None:
    try:
        return vault.unseal(webhook.sealed_secret) if webhook is not None else None
    except vault.SecretUnreadable:
        log.error("a webhook's secret was sealed with another vault key", webhook_id=webhook and webhook.pk)
        return None


@transaction.atomic
def _take(webhook: Webhook, sent: Sent, headers: Mapping[str, str], payload: Any) -> Delivery | None:
    """Return the delivery, or None for one that was taken before. The webhook's row lets two of the same see each other."""
    Webhook.objects.select_for_update().get(pk=webhook.pk)
    named = headers.get("X-GitHub-Delivery") or headers.get("Webhook-Id") or ""
    delivery_id = storable_text(named)[:ID_CHARS]
    digest = sent.digest if webhook.proof == Webhook.Proof.SIGNATURE else ""
    same = (Q(digest=digest) & ~Q(digest="")) | (Q(delivery_id=delivery_id) & ~Q(delivery_id=""))
    known = webhook.deliveries.filter(same).order_by("pk").first()
    if known is not None and known.outcome != Outcome.FAILED:
        Delivery.objects.filter(pk=known.pk).update(repeats=F("repeats") + 1)
        return None
    event = storable_text(headers.get("X-GitHub-Event", ""))[:100]
    delivery = known or Delivery(webhook=webhook, delivery_id=delivery_id, digest=digest, event=event)
    delivery.size_bytes = len(sent.body)
    if not _is_wanted(webhook, event):
        delivery.outcome = Outcome.IGNORED
    else:
        _start(delivery, webhook, payload)
    delivery.save()
    announce(webhook)
    return delivery


def _is_wanted(webhook: Webhook, event: str) -> bool:
    names = webhook.event_names.split()
    return event in names if names else event != "ping"


def _start(delivery: Delivery, webhook: Webhook, payload: Any) -> None:
    try:
        with transaction.atomic():
            goal = templating.fill(webhook.goal, payload)
            delivery.run = calling.call(webhook, origin=Run.Origin.WEBHOOK, goal=goal)
    except PyAgentError as error:
        log.warning("webhook started nothing", webhook_id=webhook.pk, code=error.code, error=str(error))
        delivery.outcome, delivery.note = Outcome.FAILED, sentence(str(error))[:300]
    else:
        delivery.outcome, delivery.note = Outcome.STARTED, ""


def note_ended(run: Run) -> None:
    """A run has ended: open pages of its webhook look again."""
    delivery = Delivery.objects.select_related("webhook").filter(run=run).first()
    if delivery is not None:
        announce(delivery.webhook)


def prune_deliveries() -> None:
    """Forget what was delivered long ago; what is forgotten could be sent again, so it is kept for long."""
    Delivery.objects.filter(received_at__lt=timezone.now() - KEEP).delete()
    for webhook in Webhook.objects.only("pk"):
        for oldest in webhook.deliveries.order_by("-pk").values_list("pk", flat=True)[KEEP_AT_MOST:][:1]:
            webhook.deliveries.filter(pk__lte=oldest).delete()
