"""Webhooks are made, changed, switched and deleted; their secrets are shown once."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from django.db import transaction

from webapp import vault
from webapp.accounts.models import User
from webapp.errors import Invalid
from webapp.unattended.models import Act, Webhook
from webapp.unattended.services import calling
from webapp.unattended.services.acts import record
from webapp.unattended.services.calling import CallingFields
from webapp.unattended.templating import MAX_FIELDS, TEMPLATE_CHARS, fields_in
from webapp.workspaces.models import Workspace

SECRET_PREFIX = "pyh_"  # noqa: S105  what a secret begins with is none
_EVENTS = re.compile(r"[A-Za-z0-9_.-]{1,60}( [A-Za-z0-9_.-]{1,60}){0,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a call proves itself, and which ones start a run."""

    proof: str = Webhook.Proof.SIGNATURE
    event_names: str = ""


def _fill(webhook: Webhook, given: CallingFields, terms: Terms, *, by: User) -> None:
    calling.fill(webhook, given, by=by)
    if len(given.goal) > TEMPLATE_CHARS:
        raise Invalid(f"What to do has at most {TEMPLATE_CHARS:,} characters.", field="goal")
    if len(fields_in(given.goal)) > MAX_FIELDS:
        raise Invalid(f"What to do names at most {MAX_FIELDS} fields.", field="goal")
    if terms.proof not in Webhook.Proof.values:
        raise Invalid(f"The proof is one of {', '.join(Webhook.Proof.values)}.", field="proof")
    names = " ".join(terms.event_names.replace(",", " ").split())
    if names and not _EVENTS.fullmatch(names):
        raise Invalid("Name at most ten events, such as “push issues”.", field="event_names")
    webhook.proof, webhook.event_names = terms.proof, names


def _new_secret(webhook: Webhook) -> str:
    secret = SECRET_PREFIX + secrets.token_urlsafe(32)
    webhook.sealed_secret = vault.seal(secret)
    return secret


@transaction.atomic
def create_webhook(
    *, workspace: Workspace, created_by: User, given: CallingFields, terms: Terms
) -> tuple[Webhook, str]:
    """Return the new webhook and its secret, which is shown once.

    Raises:
        Invalid, NotFound, Forbidden: as `calling.fill`; `field` names what cannot be accepted.
        Conflict: the workspace has too many.
    """
    calling.check_room(Webhook, workspace)
    webhook = Webhook(workspace=workspace)
    _fill(webhook, given, terms, by=created_by)
    secret = _new_secret(webhook)
    webhook.save()
    record(webhook, Act.Verb.MADE, by=created_by)
    return webhook, secret


@transaction.atomic
def change_webhook(
    *, webhook: Webhook, changed_by: User, given: CallingFields, terms: Terms, seen: str = ""
) -> Webhook:
    """Return the webhook as it is from now on; who changes what it does answers for it.

    `seen` is the digest of the description that the person changed; without it, whatever stands there is replaced.

    Raises:
        Invalid, NotFound, Forbidden: as `create_webhook`.
        Conflict: as `calling.changing`.
    """
    with calling.changing(webhook, by=changed_by, seen=seen) as row:
        _fill(row, given, terms, by=changed_by)
    return row


@transaction.atomic
def renew_secret(*, webhook: Webhook, renewed_by: User) -> str:
    """Return the webhook's new secret, which is shown once; the old one is of no use from now on.

    Whoever is shown it can start runs with it, so these are theirs from now on.
    """
    webhook = calling.locked(webhook)
    note = calling.taken_over(webhook.owner, renewed_by).removeprefix("; ")
    calling.answer_for(webhook, renewed_by)
    secret = _new_secret(webhook)
    webhook.save(update_fields=["sealed_secret", "owner", "api_key", "updated_at"])
    record(webhook, Act.Verb.RENEWED, by=renewed_by, note=note)
    return secret


@transaction.atomic
def switch_webhook(*, webhook: Webhook, is_on: bool, by: User | None, note: str = "") -> Webhook:
    """Return the webhook, switched on or off; switching it to what it is changes nothing."""
    webhook = calling.locked(webhook)
    if webhook.is_enabled != is_on:
        calling.switch(webhook, is_on=is_on, by=by, note=note)
    return webhook


@transaction.atomic
def delete_webhook(*, webhook: Webhook, deleted_by: User) -> None:
    """Take the webhook away; its address answers like one that never was. Its runs stay."""
    calling.delete(calling.locked(webhook), deleted_by=deleted_by)
