"""Fetches a run's model key from the web app: once, over the internal door, into memory only."""

from __future__ import annotations

import httpx

from workers.config import Config
from workers.errors import ConfigError, CredentialRefused, CredentialUnavailable
from workers.queue import Job

TIMEOUT_S = 10.0
TOKEN_HEADER = "X-PyAgent-Internal"  # noqa: S105 - the header's name


async def fetch_secret(job: Job, config: Config) -> str | None:
    """Return the key that `job.credential_ref` names; None when the job names none.

    Raises:
        ConfigError: the internal token cannot be read.
        CredentialRefused: the web app says no, for instance since another worker holds the run.
        CredentialUnavailable: the web app is away.
    """
    if not job.credential_ref:
        return None
    try:
        token = config.internal_token_file.read_text().strip()
    except OSError as error:
        raise ConfigError(f"the internal token cannot be read: {error.strerror}") from error
    body = {"run_id": job.run_id, "fence": job.fence, "credential_ref": job.credential_ref}
    url = f"{config.internal_url.rstrip('/')}/internal/credentials/"
    try:
        # No proxies from the environment: this door is on our own machine or network.
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            answer = await client.post(url, json=body, headers={TOKEN_HEADER: token})
    except httpx.HTTPError as error:
        raise CredentialUnavailable(reason=type(error).__name__) from None
    if answer.status_code >= 500:
        raise CredentialUnavailable(status=answer.status_code)
    try:
        secret = answer.json()["secret"] if answer.status_code == 200 else None
    except (ValueError, KeyError, TypeError):
        secret = None
    if not isinstance(secret, str):
        raise CredentialRefused(status=answer.status_code)
    return secret
