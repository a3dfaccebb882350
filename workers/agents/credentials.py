"""What a worker asks the web app for over its internal doors: a model's key, once and into memory only, and what may be spent."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import httpx

from workers.config import Config
from workers.errors import BudgetUnknown, ConfigError, CredentialRefused, CredentialUnavailable
from workers.queue import Job

TIMEOUT_S = 10.0
PATIENCE_S: Final = 60.0
"""For how long a web app or a database that is away is waited for: what is started again is back before."""
RETRY_S: Final = 0.5
TOKEN_HEADER = "X-PyAgent-Internal"  # noqa: S105 - the header's name


async def fetch_secret(job: Job, config: Config, *, patience_s: float = PATIENCE_S) -> str | None:
    """Return the key that `job.credential_ref` names; None when the job names none.

    Args:
        patience_s: For how long a web app that is away is asked again.

    Raises:
        ConfigError: the internal token cannot be read.
        CredentialRefused: the web app says no, for instance since another worker holds the run.
        CredentialUnavailable: the web app is away.
    """
    if not job.credential_ref:
        return None
    try:
        answer = await ask_web_app(job, config, "credentials", patience_s, credential_ref=job.credential_ref)
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


async def ask_for_seed(job: Job, config: Config) -> None:
    """Let the web app write into Redis what its rows say of this workspace's spending and limits.

    Raises:
        BudgetUnknown: it is away, or says no.
    """
    try:
        answer = await ask_web_app(job, config, "spend", PATIENCE_S)
    except httpx.HTTPError as error:
        raise BudgetUnknown(reason=type(error).__name__) from None
    if answer.status_code != 200:
        raise BudgetUnknown(status=answer.status_code)


async def ask_web_app(
    job: Job, config: Config, door: str, patience_s: float, **fields: str
) -> httpx.Response:
    """Return the web app's answer at an internal door; while it or its database is away, the last one within `patience_s`.

    Raises:
        ConfigError: the internal token cannot be read.
        httpx.HTTPError: there was none.
    """
    ends_at = time.monotonic() + patience_s
    while True:
        is_last = time.monotonic() >= ends_at
        try:
            answer = await _ask_once(job, config, door, **fields)
            if answer.status_code < 500 or is_last:
                return answer
        except httpx.HTTPError:
            if is_last:
                raise
        await asyncio.sleep(RETRY_S)


async def _ask_once(job: Job, config: Config, door: str, **fields: str) -> httpx.Response:
    try:
        token = config.internal_token_file.read_text().strip()
    except OSError as error:
        raise ConfigError(f"the internal token cannot be read: {error.strerror}") from error
    url = f"{config.internal_url.rstrip('/')}/internal/{door}/"
    body = {"run_id": job.run_id, "fence": job.fence, **fields}
    # No proxies from the environment: this door is on our own machine or network.
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        return await client.post(url, json=body, headers={TOKEN_HEADER: token})
