"""Webhooks over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from webapp.accounts.access import require_scope
from webapp.api import SeenIn, SeenOut
from webapp.unattended import access, selectors, services
from webapp.unattended.api.shared import CHANGING, ERRORS, CallingIn, CallingOut, EnabledIn
from webapp.unattended.models import Webhook
from webapp.unattended.services import Terms
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role

router = Router()
ALL = "/{int:workspace_id}/unattended/webhooks"
ONE = ALL + "/{int:webhook_id}"


class WebhookIn(CallingIn):
    """Call an agent when a program asks for it; `goal` may name fields of what is sent, such as {{ issue.title }}."""

    proof: Literal["signature", "bearer"] = Field(
        "signature", description="X-Hub-Signature-256 over the body, or the secret itself as a bearer token."
    )
    events: list[str] = Field([], max_length=10, description="Values of X-GitHub-Event; empty: all but ping.")

    def to_terms(self) -> Terms:
        """Return the terms as the service takes them."""
        return Terms(proof=self.proof, event_names=" ".join(self.events))


class WebhookChangeIn(WebhookIn):
    """What a webhook says from now on."""

    seen: SeenIn = None


class WebhookOut(CallingOut):
    """An address that programs call."""

    address: str | None = Field(description="Null for those who may not change it.")
    proof: Literal["signature", "bearer"]
    events: list[str]
    seen: SeenOut
    is_enabled: bool
    stop_note: str = Field(description="Why it was switched off by itself.")


class NewWebhookOut(WebhookOut):
    """A webhook with its secret, which is shown this once."""

    secret: str


class SecretOut(Schema):
    """A secret, shown this once."""

    secret: str


class DeliveryOut(Schema):
    """A call that proved itself."""

    delivery_id: str
    event: str
    outcome: Literal["started", "ignored", "failed"]
    note: str
    size_bytes: int
    repeats: int = Field(description="How often the same was sent again, to no effect.")
    run_id: UUID | None
    received_at: datetime


def _shown(request: HttpRequest, webhook: Webhook) -> dict[str, Any]:
    may_change = access.may_change(request.user, webhook.workspace, webhook)
    return selectors.webhook_row(webhook, may_change=may_change)


@router.get(ALL, response={200: list[WebhookOut], **ERRORS}, summary="List webhooks")
def list_webhooks(request: HttpRequest, workspace_id: int) -> Any:
    """Return the workspace's webhooks by name."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    found = selectors.webhooks_of(workspace)
    user = request.user
    return [
        selectors.webhook_row(webhook, may_change=access.may_change(user, workspace, webhook))
        for webhook in found
    ]


@router.post(ALL, response={201: NewWebhookOut, **CHANGING}, summary="Make a webhook")
def create_webhook(request: HttpRequest, workspace_id: int, body: WebhookIn) -> Any:
    """Make an address that calls an agent in your name; its secret is shown this once."""
    user = require_scope(request, "run")
    workspace = workspace_for(user, workspace_id, role=Role.MEMBER)
    webhook, secret = services.create_webhook(
        workspace=workspace, created_by=user, given=body.to_fields(), terms=body.to_terms()
    )
    return Status(201, selectors.webhook_row(webhook, may_change=True) | {"secret": secret})


@router.get(ONE, response={200: WebhookOut, **ERRORS}, summary="Get a webhook")
def get_webhook(request: HttpRequest, workspace_id: int, webhook_id: int) -> Any:
    """Return one webhook."""
    user = require_scope(request, "read")
    return _shown(request, access.item_for(Webhook, user, workspace_id, webhook_id))


@router.put(ONE, response={200: WebhookOut, **CHANGING}, summary="Change a webhook")
def change_webhook(request: HttpRequest, workspace_id: int, webhook_id: int, body: WebhookChangeIn) -> Any:
    """Change your webhook, or take over anybody's as a maintainer; address and secret stay."""
    user = require_scope(request, "run")
    webhook = access.item_to_change(Webhook, user, workspace_id, webhook_id)
    changed = services.change_webhook(
        webhook=webhook, changed_by=user, given=body.to_fields(), terms=body.to_terms(), seen=body.seen or ""
    )
    return selectors.webhook_row(changed, may_change=True)


@router.delete(ONE, response={204: None, **ERRORS}, summary="Delete a webhook")
def delete_webhook(request: HttpRequest, workspace_id: int, webhook_id: int) -> Any:
    """Delete the webhook; its runs stay."""
    user = require_scope(request, "run")
    webhook = access.item_to_change(Webhook, user, workspace_id, webhook_id)
    services.delete_webhook(webhook=webhook, deleted_by=user)
    return Status(204, None)


@router.post(f"{ONE}/switch", response={200: WebhookOut, **CHANGING}, summary="Switch a webhook on or off")
def switch_webhook(request: HttpRequest, workspace_id: int, webhook_id: int, body: EnabledIn) -> Any:
    """Switch the webhook; whoever switches it on answers for it."""
    user = require_scope(request, "run")
    webhook = access.item_to_change(Webhook, user, workspace_id, webhook_id)
    switched = services.switch_webhook(webhook=webhook, is_on=body.is_enabled, by=user)
    return selectors.webhook_row(switched, may_change=True)


@router.post(f"{ONE}/secret", response={200: SecretOut, **CHANGING}, summary="Make a new secret")
def renew_secret(request: HttpRequest, workspace_id: int, webhook_id: int) -> Any:
    """Replace the secret; the old one is of no use from now on."""
    user = require_scope(request, "run")
    webhook = access.item_to_change(Webhook, user, workspace_id, webhook_id)
    return {"secret": services.renew_secret(webhook=webhook, renewed_by=user)}


@router.get(f"{ONE}/deliveries", response={200: list[DeliveryOut], **ERRORS}, summary="List deliveries")
def list_deliveries(request: HttpRequest, workspace_id: int, webhook_id: int) -> Any:
    """Return the last 50 calls that proved themselves and what came of them, newest first."""
    user = require_scope(request, "read")
    webhook = access.item_for(Webhook, user, workspace_id, webhook_id)
    return [selectors.delivery_row(delivery) for delivery in selectors.deliveries_of(webhook)]
