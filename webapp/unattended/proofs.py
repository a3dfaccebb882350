"""Whether a call of a webhook comes from somebody who knows its secret. Everything is compared in constant time.

A signature is that of GitHub (`X-Hub-Signature-256: sha256=<hex>` over the body). With `Webhook-Timestamp` (seconds since 1970)
it is over `<timestamp>.<body>`, and the moment must be near: then the same body may be sent again later.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from webapp.unattended.models import Webhook

WINDOW: Final = timedelta(minutes=5)
NO_SECRET: Final = "0" * 43
"""Stands in where there is no such webhook, so that the answer takes as long."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a call of a webhook brought, before anybody believes it."""

    body: bytes
    signature: str
    bearer: str
    timestamp: str

    @classmethod
    def read(cls, headers: Mapping[str, str], body: bytes) -> Sent:
        """Return what the headers say."""
        scheme, _, bearer = headers.get("Authorization", "").partition(" ")
        return cls(
            body,
            headers.get("X-Hub-Signature-256", ""),
            bearer.strip() if scheme.lower() == "bearer" else "",
            headers.get("Webhook-Timestamp", ""),
        )

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        return self.timestamp.encode() + b"." + self.body if self.timestamp else self.body

    @property
    def digest(self) -> str:
        """SHA-256 of what was signed, by which a replay is known."""
        return hashlib.sha256(self.signed).hexdigest()


def sign(secret: str, signed: bytes) -> str:
    """Return the value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def is_proven(webhook: Webhook | None, secret: str | None, sent: Sent, *, now: datetime) -> bool:
    """Return whether the call proves that it knows the secret of this webhook, in the way that was chosen, and is not stale."""
    known = secret or NO_SECRET
    is_signed = hmac.compare_digest(sign(known, sent.signed).encode(), sent.signature.encode())
    is_borne = hmac.compare_digest(known.encode(), sent.bearer.encode())
    if webhook is None or secret is None:
        return False
    return _is_near(sent.timestamp, now) and (
        is_signed if webhook.proof == Webhook.Proof.SIGNATURE else is_borne
    )


def _is_near(timestamp: str, now: datetime) -> bool:
    if not timestamp:
        return True
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= WINDOW.total_seconds()
