"""Writes about model profiles. A key goes in and never comes out again, except to the worker of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import transaction

from webapp import vault
from webapp.agents.access import ProfileOwner
from webapp.agents.endpoints import check_base_url, offered_urls, private_url_of
from webapp.agents.models import ModelProfile
from webapp.errors import Conflict, Invalid

Provider = ModelProfile.Provider
MAX_PROFILES: Final = 50
MAX_CONTEXT_TOKENS: Final = 20_000_000
MAX_SILENCE_S: Final = 900
MAX_USD_PER_MTOK: Final = 100_000.0
MAX_PER_MIN: Final = 1_000_000_000
OF_REAL_ENDPOINTS: Final = (
    "context_tokens",
    "input_usd_per_mtok",
    "output_usd_per_mtok",
    "first_token_s",
    "between_tokens_s",
    "has_vision",
    "requests_per_minute",
    "tokens_per_minute",
    "max_concurrency",
)
"""What the embedded model has its own values of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFields:
    """What a person says about a model. `key` None keeps the stored key, an empty one removes it."""

    name: str
    provider: str
    model: str = ""
    base_url: str = ""
    context_tokens: int | None = None
    input_usd_per_mtok: float | None = None
    output_usd_per_mtok: float | None = None
    first_token_s: int | None = None
    between_tokens_s: int | None = None
    has_vision: bool | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrency: int | None = None
    tool_use: str = ModelProfile.ToolUse.AUTO
    key: str | None = None
    is_default: bool = False


def _check(fields: ProfileFields) -> None:
    if not fields.name.strip() or len(fields.name) > 80:
        raise Invalid("Give the model a name of at most 80 characters.", field="name")
    if fields.provider not in Provider.values:
        raise Invalid(f"The provider is one of {', '.join(Provider.values)}.", field="provider")
    if fields.tool_use not in ModelProfile.ToolUse.values:
        raise Invalid(
            f"The use of tools is one of {', '.join(ModelProfile.ToolUse.values)}.", field="tool_use"
        )
    if fields.provider != Provider.EMBEDDED and (not fields.model.strip() or len(fields.model) > 120):
        raise Invalid("Say which model, as the provider names it, in at most 120 characters.", field="model")
    if fields.context_tokens is not None and not 256 <= fields.context_tokens <= MAX_CONTEXT_TOKENS:
        raise Invalid("The context is between 256 and 20,000,000 tokens.", field="context_tokens")
    _check_silence(fields)
    _check_limits(fields)
    prices = (fields.input_usd_per_mtok, fields.output_usd_per_mtok)
    if any(price is not None and not 0 <= price <= MAX_USD_PER_MTOK for price in prices):
        raise Invalid(
            "A price is between 0 and 100,000 dollars per million tokens.", field="input_usd_per_mtok"
        )
    if (prices[0] is None) != (prices[1] is None):
        raise Invalid("Give both prices, or none: half a price is no price.", field="output_usd_per_mtok")
    if fields.key and (len(fields.key) > 4_000 or not fields.key.isascii() or not fields.key.isprintable()):
        raise Invalid("This does not look like a key: keys are printable ASCII.", field="key")
    for field in ("name", "model", "base_url"):
        if not getattr(fields, field).isprintable():
            raise Invalid("Names and addresses have no control or invisible characters.", field=field)


def _check_silence(fields: ProfileFields) -> None:
    for name in ("first_token_s", "between_tokens_s"):
        silence_s = getattr(fields, name)
        if silence_s is not None and not 1 <= silence_s <= MAX_SILENCE_S:
            raise Invalid(f"A model may be silent for 1 to {MAX_SILENCE_S} seconds.", field=name)


def _check_limits(fields: ProfileFields) -> None:
    for name in ("requests_per_minute", "tokens_per_minute", "max_concurrency"):
        limit = getattr(fields, name)
        if limit is not None and not 1 <= limit <= MAX_PER_MIN:
            raise Invalid(
                f"A rate limit is between 1 and {MAX_PER_MIN:,}; leave it empty for none.", field=name
            )


def _base_url(fields: ProfileFields, *, is_installation_owner: bool) -> str:
    """Return where the model is served, empty where its provider alone knows; a private place is asked about also when it is
    the usual one.
    """
    if fields.provider == Provider.EMBEDDED:
        return ""
    base_url = fields.base_url.strip() or private_url_of(fields.provider)
    if base_url:
        base_url = check_base_url(
            base_url, is_installation_owner=is_installation_owner, offered=offered_urls()
        )
        if len(base_url) > 500:
            raise Invalid("The address is longer than 500 characters.", field="base_url")
    elif fields.provider in (Provider.OPENAI, Provider.RESPONSES):
        return "https://api.openai.com/v1"
    return base_url


@transaction.atomic
def save_profile(
    *,
    owner: ProfileOwner,
    fields: ProfileFields,
    is_installation_owner: bool,
    profile: ModelProfile | None = None,
) -> ModelProfile:
    """Return the profile, new or changed.

    A key is bound to where it is sent: when provider or address change and no key is given, the stored one is dropped, so
    that nobody can have somebody else's key sent to an address of their own.

    Raises:
        Invalid: a field makes no sense, or the address may not be called.
        Conflict: there are too many already.
    """
    _check(fields)
    is_embedded = fields.provider == Provider.EMBEDDED
    base_url = _base_url(fields, is_installation_owner=is_installation_owner)
    if profile is None:
        if ModelProfile.objects.filter(**owner.filter).count() >= MAX_PROFILES:
            raise Conflict(f"There are {MAX_PROFILES} models already; delete one first.")
        profile = ModelProfile(**owner.filter)
    was_at = profile.base_url or private_url_of(profile.provider)
    has_moved = (profile.provider, was_at) != (fields.provider, base_url)
    if fields.key is not None or has_moved or is_embedded:
        profile.sealed_key = vault.seal(fields.key) if fields.key and not is_embedded else None
    profile.name, profile.provider, profile.base_url = fields.name.strip(), fields.provider, base_url
    profile.is_of_operator = is_installation_owner
    profile.model = "" if is_embedded else fields.model.strip()
    for name in OF_REAL_ENDPOINTS:
        setattr(profile, name, None if is_embedded else getattr(fields, name))
    profile.tool_use = fields.tool_use
    profile.is_default = fields.is_default
    profile.save()
    if profile.is_default:
        make_default(owner=owner, profile=profile)
    return profile


@transaction.atomic
def make_default(*, owner: ProfileOwner, profile: ModelProfile | None) -> None:
    """Make this the owner's only default; None goes back to the next wider default."""
    others = ModelProfile.objects.filter(**owner.filter, is_default=True)
    (others.exclude(pk=profile.pk) if profile else others).update(is_default=False)
    if profile is not None and not profile.is_default:
        profile.is_default = True
        profile.save(update_fields=["is_default"])


def delete_profile(*, profile: ModelProfile) -> None:
    """Forget the profile and its key. Runs that used it keep the model's name."""
    profile.delete()
