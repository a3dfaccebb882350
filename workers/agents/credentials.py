"""What a worker asks the web app for over its internal doors: a model's key, once and into memory only, and what may be spent."""

from __future__ import annotations

import httpx

from workers.config import Config
from workers.errors import BudgetUnknown, ConfigError, CredentialRefused, CredentialUnavailable
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
        answer = await ask_web_app(job, config, "credentials", credential_ref=job.credential_ref)
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
        answer = await ask_web_app(job, config, "spend")
    except httpx.HTTPError as error:
        raise BudgetUnknown(reason=type(error).__name__) from None
    if answer.status_code != 200:
        raise BudgetUnknown(status=answer.status_code)


async def ask_web_app(job: Job, config: Config, door: str, **fields: str) -> httpx.Response:
    """Return the web app's answer at an internal door.

    Raises:
        ConfigError: the internal token cannot be read.
        httpx.HTTPError: there was none.
    """
    try:
        token = config.internal_token_file.read_text().strip()
    except OSError as error:
        raise ConfigError(f"the internal token cannot be read: {error.strerror}") from error
    url = f"{config.internal_url.rstrip('/')}/internal/{door}/"
    body = {"run_id": job.run_id, "fence": job.fence, **fields}
    # No proxies from the environment: this door is on our own machine or network.
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        return await client.post(url, json=body, headers={TOKEN_HEADER: token})
