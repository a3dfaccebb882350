"""Which class speaks to which provider. A provider is a line; its client loads when first used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Final

from workers.config import get_config
from workers.errors import ConfigError
from workers.providers.base import Provider, ReplyLimits
from workers.providers.retry import RetryingProvider, RetryPolicy
from workers.providers.types import ModelChoice, ProviderName

PROVIDERS: Final[dict[ProviderName, str]] = {
    "embedded": "workers.providers.embedded:EmbeddedProvider",
    "openai": "workers.providers.openai_compatible:OpenAICompatibleProvider",
    "responses": "workers.providers.openai_responses:OpenAIResponsesProvider",
    "anthropic": "workers.providers.anthropic:AnthropicProvider",
    "ollama": "workers.providers.ollama:OllamaProvider",
}


def limits_of(choice: ModelChoice, usual: ReplyLimits) -> ReplyLimits:
    """Return the usual limits with those that the choice sets."""
    return replace(
        usual,
        first_token_s=choice.first_token_s or usual.first_token_s,
        between_tokens_s=choice.between_tokens_s or usual.between_tokens_s,
    )


def open_provider(
    choice: ModelChoice,
    *,
    secret: str | None,
    limits: ReplyLimits | None = None,
    retries: RetryPolicy | None = None,
    allow_private: bool | None = None,
    embedder: Callable[[Sequence[str]], list[list[float]]] | None = None,
    wrap: Callable[[Provider], Provider] = lambda provider: provider,
) -> Provider:
    """Return a provider for `choice`, ready to be asked; close it with `aclose()`.

    Args:
        secret: The key, kept in memory only; None where none is needed.
        limits: The provider's own when None, with those that the choice sets.
        allow_private: Whether loopback and private addresses may be called; when None, what the choice and the operator say.
        embedder: What makes vectors for the embedded provider; it stands above this package, so its user hands it in.
        wrap: What stands between each single try and the provider, such as its rate limits.

    Raises:
        ConfigError: no provider has this name.
        ProviderAddressRefused: the base URL may not be called.
    """
    path = PROVIDERS.get(choice.provider)
    if path is None:
        raise ConfigError(f"there is no provider named {choice.provider!r}")
    module, _, name = path.partition(":")
    if allow_private is None:
        allow_private = choice.may_be_private and get_config().allow_private_endpoints
    kind = getattr(import_module(module), name)
    extra = {"embedder": embedder} if choice.provider == "embedded" else {}
    provider: Provider = kind(
        choice,
        secret=secret,
        limits=limits or limits_of(choice, kind.limits_for(choice)),
        allow_private=allow_private,
        **extra,
    )
    return RetryingProvider(wrap(provider), retries)
