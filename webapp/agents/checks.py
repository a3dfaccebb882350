"""The test button: asks a model one short thing and says what came back."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Final

from webapp import vault
from webapp.agents import choosing
from webapp.agents.endpoints import check_base_url, may_use_private, offered_urls
from webapp.agents.models import ModelProfile
from webapp.agents.plain import one_line
from workers.errors import ProviderTimeout
from workers.providers.registry import open_provider
from workers.providers.retry import RetryPolicy
from workers.providers.types import ModelChoice

TIMEOUT_S: Final = 30.0
# The event loop of a provider lives in a thread of its own: a page's thread may already have one.
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="model-check")


async def _ask(choice: ModelChoice, secret: str | None, allow_private: bool | None, timeout_s: float) -> str:
    # One try: a person is looking, and the button can be pressed again.
    provider = open_provider(choice, secret=secret, allow_private=allow_private, retries=RetryPolicy(tries=1))
    try:
        async with asyncio.timeout(timeout_s):
            return await provider.check()
    except TimeoutError as error:
        raise ProviderTimeout(
            f"The model gave no answer within {timeout_s:g} s.", waited_s=timeout_s
        ) from error
    finally:
        await provider.aclose()


def check_profile(*, profile: ModelProfile, is_installation_owner: bool, timeout_s: float = TIMEOUT_S) -> str:
    """Return a line that says how the model answered.

    Raises:
        ProviderError: why it did not; the most exact class.
        Invalid: its address may not be called by this person (a name can lead elsewhere than when it was stored).
        SecretUnreadable: the stored key was sealed with another vault key.
    """
    secret = vault.unseal(profile.sealed_key) if profile.sealed_key else None
    allow_private: bool | None = None
    if profile.base_url:
        offered = offered_urls()
        check_base_url(profile.base_url, is_installation_owner=is_installation_owner, offered=offered)
        allow_private = may_use_private(
            profile.base_url, is_installation_owner=is_installation_owner, offered=offered
        )
    choice = choosing.choice_of(profile)
    future: Future[str] = _threads.submit(lambda: asyncio.run(_ask(choice, secret, allow_private, timeout_s)))
    try:
        return one_line(future.result(timeout=timeout_s + 10), limit=300)
    except FutureTimeout as error:
        raise ProviderTimeout(
            "Other models are being tested; try again in a moment.", waited_s=timeout_s
        ) from error
