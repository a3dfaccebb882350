"""Secrets at rest: encrypted with PYAGENT_VAULT_KEY, so that a copy of the database alone gives none away."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from workers.errors import PyAgentError


class SecretUnreadable(PyAgentError):
    """A stored secret cannot be decrypted with this vault key; type it in again."""

    code = "secret_unreadable"


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(settings.VAULT_KEY.encode()).digest()))


def seal(secret: str) -> bytes:
    """Return `secret` encrypted and authenticated (Fernet: AES-128-CBC with HMAC-SHA256)."""
    return _fernet().encrypt(secret.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """Return what `seal` was given.

    Raises:
        SecretUnreadable: another key sealed it, or the bytes changed.
    """
    try:
        return _fernet().decrypt(bytes(sealed)).decode()
    except InvalidToken as error:
        raise SecretUnreadable() from error
