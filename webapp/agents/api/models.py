"""Models over REST. A key goes in and never comes out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status
from pydantic import SecretStr

from webapp.accounts.access import owns_installation, require_scope
from webapp.accounts.models import User
from webapp.agents import access, checks, choosing, embedded, services
from webapp.agents.access import ProfileOwner
from webapp.agents.models import ModelProfile
from webapp.agents.services.profiles import MAX_PER_MIN, MAX_SILENCE_S, ProfileFields
from webapp.api import Body, ErrorReply
from webapp.errors import Invalid

router = Router(tags=["models"])
ERRORS: dict[Any, Any] = {401: ErrorReply, 403: ErrorReply, 404: ErrorReply, 409: ErrorReply, 422: ErrorReply}
Owner = Literal["person", "workspace", "installation"]
Provider = Literal["embedded", "openai", "responses", "anthropic", "ollama"]


class ModelOut(Schema):
    """A model somebody may run agents on."""

    id: int
    owner: Owner
    workspace_id: int | None
    name: str = Field(examples=["Claude for work"])
    provider: Provider
    model: str = Field(examples=["claude-sonnet-4-5"])
    base_url: str
    context_tokens: int | None
    first_token_s: int | None = Field(
        description="Seconds of silence before its first token; null: what is usual."
    )
    between_tokens_s: int | None = Field(
        description="Seconds of silence between two tokens; null: what is usual."
    )
    tool_use: Literal["auto", "tools", "json"]
    has_vision: bool | None = Field(description="Whether it sees images; null: as its name tells.")
    requests_per_minute: int | None = Field(
        description="Rate limit of its key, over all workers; null: none told."
    )
    tokens_per_minute: int | None
    max_concurrency: int | None
    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None
    has_key: bool = Field(description="Whether a key is stored. It is never shown.")
    is_default: bool
    created_at: datetime


class ModelFields(Body):
    """What is said about a model."""

    name: str = Field(min_length=1, max_length=80, examples=["Local Ollama"])
    provider: Provider = Field(examples=["ollama"])
    model: str = Field("", max_length=120, examples=["qwen2.5-coder:7b"])
    base_url: str = Field(
        "",
        max_length=500,
        description="Empty for the provider's own; Ollama's is http://127.0.0.1:11434, on the server.",
        examples=["http://localhost:11434"],
    )
    context_tokens: int | None = Field(None, ge=256, le=20_000_000)
    first_token_s: int | None = Field(
        None, ge=1, le=MAX_SILENCE_S, description="Null for what is usual: 120, for Ollama 300."
    )
    between_tokens_s: int | None = Field(
        None, ge=1, le=MAX_SILENCE_S, description="Null for what is usual: 60."
    )
    tool_use: Literal["auto", "tools", "json"] = "auto"
    has_vision: bool | None = Field(None, description="Whether it sees images; null: as its name tells.")
    requests_per_minute: int | None = Field(None, ge=1, le=MAX_PER_MIN, description="Null: without limit.")
    tokens_per_minute: int | None = Field(None, ge=1, le=MAX_PER_MIN, description="Null: without limit.")
    max_concurrency: int | None = Field(None, ge=1, le=MAX_PER_MIN, description="Null: without limit.")
    input_usd_per_mtok: float | None = Field(None, ge=0, le=100_000)
    output_usd_per_mtok: float | None = Field(None, ge=0, le=100_000)
    key: SecretStr | None = Field(
        None, max_length=4_000, description="Null keeps the stored key, an empty one forgets it."
    )
    is_default: bool = False

    def to_fields(self) -> ProfileFields:
        """Return them as the service takes them."""
        data = self.dict(exclude={"owner", "workspace_id"})
        data["key"] = self.key.get_secret_value() if self.key is not None else None
        return ProfileFields(**data)


class ModelIn(ModelFields):
    """A new model, and whose it is."""

    owner: Owner = "person"
    workspace_id: int | None = Field(None, description="Needed when `owner` is `workspace`.")


class CheckOut(Schema):
    """How the model answered."""

    text: str = Field(examples=["qwen2.5-coder:7b answered in 0.8 s: OK"])


class EmbeddedOut(Schema):
    """The embedded model, as its server says it."""

    state: Literal["ready", "loading", "unavailable"] = Field(examples=["ready"])
    note: str


def _shown(profile: ModelProfile) -> dict[str, Any]:
    kind = "person" if profile.user_id else "workspace" if profile.workspace_id else "installation"
    names = (
        "name",
        "provider",
        "model",
        "base_url",
        "context_tokens",
        "first_token_s",
        "between_tokens_s",
        "tool_use",
        "has_vision",
        "requests_per_minute",
        "tokens_per_minute",
        "max_concurrency",
        "input_usd_per_mtok",
        "output_usd_per_mtok",
    )
    return {
        "id": profile.pk,
        "owner": kind,
        "workspace_id": profile.workspace_id,
        "has_key": profile.has_key,
        "is_default": profile.is_default,
        "created_at": profile.created_at,
        **{name: getattr(profile, name) for name in names},
    }


def _owner(user: User, kind: Owner, workspace_id: int | None) -> ProfileOwner:
    if kind == "installation":
        return access.installation_profiles(user)
    if kind == "person":
        return access.own_profiles(user)
    if workspace_id is None:
        raise Invalid("Say which workspace.", field="workspace_id")
    return access.workspace_profiles(user, workspace_id)


@router.get("/models", response={200: list[ModelOut], **ERRORS}, summary="List models")
def list_models(request: HttpRequest, workspace_id: int | None = Query(None, ge=1, le=2**63 - 1)) -> Any:
    """Return the models that you may run agents on: yours, the installation's, and with `workspace_id` that workspace's."""
    user = require_scope(request, "read")
    return [
        _shown(profile)
        for profile in choosing.usable_profiles(user, access.workspace_or_none(user, workspace_id))
    ]


@router.post("/models", response={201: ModelOut, **ERRORS}, summary="Add a model")
def add_model(request: HttpRequest, body: ModelIn) -> Any:
    """Add a model for yourself, for a workspace (maintainers) or for everybody (the installation's owner)."""
    user = require_scope(request, "admin")
    owner = _owner(user, body.owner, body.workspace_id)
    profile = services.save_profile(
        owner=owner, fields=body.to_fields(), is_installation_owner=owns_installation(user)
    )
    return Status(201, _shown(profile))


@router.get("/models/embedded", response={200: EmbeddedOut, **ERRORS}, summary="How the embedded model is")
def embedded_state(request: HttpRequest) -> Any:
    """Return whether the model that ships with PyAgent is ready."""
    require_scope(request, "read")
    return embedded.state()


@router.post(
    "/models/embedded/test",
    response={200: CheckOut, 424: ErrorReply, 429: ErrorReply, **ERRORS},
    summary="Test the embedded model",
)
def test_embedded(request: HttpRequest) -> Any:
    """Ask the embedded model one short thing and return what came back."""
    user = require_scope(request, "run")
    profile = ModelProfile(provider=ModelProfile.Provider.EMBEDDED)
    return {"text": checks.check_profile(profile=profile, is_installation_owner=owns_installation(user))}


@router.get("/models/{int:model_id}", response={200: ModelOut, **ERRORS}, summary="Get a model")
def get_model(request: HttpRequest, model_id: int) -> Any:
    """Return a model that you may change."""
    return _shown(access.profile_to_change(require_scope(request, "read"), model_id)[1])


@router.put("/models/{int:model_id}", response={200: ModelOut, **ERRORS}, summary="Change a model")
def change_model(request: HttpRequest, model_id: int, body: ModelFields) -> Any:
    """Replace what is said about a model. The key is dropped when provider or address change and no new one is given."""
    user = require_scope(request, "admin")
    owner, profile = access.profile_to_change(user, model_id)
    saved = services.save_profile(
        owner=owner,
        fields=body.to_fields(),
        is_installation_owner=owns_installation(user),
        profile=profile,
    )
    return _shown(saved)


@router.delete("/models/{int:model_id}", response={204: None, **ERRORS}, summary="Delete a model")
def delete_model(request: HttpRequest, model_id: int) -> Any:
    """Forget a model and its key."""
    _, profile = access.profile_to_change(require_scope(request, "admin"), model_id)
    services.delete_profile(profile=profile)
    return Status(204, None)


@router.post(
    "/models/{int:model_id}/test",
    response={200: CheckOut, 424: ErrorReply, 429: ErrorReply, **ERRORS},
    summary="Test a model",
)
def test_model(request: HttpRequest, model_id: int) -> Any:
    """Ask the model one short thing and return what came back."""
    user = require_scope(request, "run")
    _, profile = access.profile_to_change(user, model_id)
    return {"text": checks.check_profile(profile=profile, is_installation_owner=owns_installation(user))}
