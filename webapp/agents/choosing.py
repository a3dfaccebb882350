"""Which model a run works on: the person's default, else the first that the workspace lists for the agent, else the workspace's
default, else the installation's, else the embedded one."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Final

from django.db.models import Q

from webapp.accounts.models import User
from webapp.agents import prices
from webapp.agents.endpoints import may_be_private
from webapp.agents.models import AgentRoute, AgentVersion, ModelProfile
from webapp.workspaces.models import Workspace
from workers.providers.types import EMBEDDED_CHOICE, ModelChoice, Price

NO_MODEL_LABEL: Final = "no model"
# The embedded model runs on the operator's own machine: its price is known, and it is nothing.
EMBEDDED: Final = replace(EMBEDDED_CHOICE, price=Price(0.0, 0.0))


def default_profile(user: User | None, workspace: Workspace, agent: str = "") -> ModelProfile | None:
    """Return the profile that the person's agent uses in this workspace, None for the embedded model."""
    if user is not None and (own := _default_of(user=user, workspace=None)):
        return own
    if route := route_of(workspace, agent):
        return route[0]
    return _default_of(user=None, workspace=workspace) or _default_of(user=None, workspace=None)


def _default_of(**owner: Any) -> ModelProfile | None:
    return ModelProfile.objects.filter(is_default=True, **owner).first()


def route_of(workspace: Workspace, agent: str) -> list[ModelProfile]:
    """Return the models that the workspace lists for this agent, in order; else those that it lists for all."""
    rows = AgentRoute.objects.filter(workspace=workspace, agent__in={agent, ""}).select_related("profile")
    own = [row for row in rows if row.agent == agent]
    return [row.profile for row in own or rows]


def profile_of(
    agent: str, version: AgentVersion | None, user: User | None, workspace: Workspace
) -> ModelProfile | None:
    """Return the profile an agent runs on for this person: the one that it was given where it is theirs to use, else theirs."""
    given = version.model_profile if version is not None else None
    is_theirs = given is not None and given.user_id in (None, user.pk if user is not None else None)
    if given is not None and is_theirs and given.workspace_id in (None, workspace.pk):
        return given
    return default_profile(user, workspace, agent)


def usable_profiles(user: User, workspace: Workspace | None) -> list[ModelProfile]:
    """Return the profiles that the person may run agents on: their own, the workspace's when it is given, the installation's."""
    is_theirs = Q(user=user) | Q(user=None, workspace=None)
    if workspace is not None:
        is_theirs |= Q(workspace=workspace)
    return list(ModelProfile.objects.filter(is_theirs).order_by("pk"))


def choice_of(profile: ModelProfile | None, workspace: Workspace | None = None) -> ModelChoice:
    """Return the choice that the engine is handed, priced as this workspace says; it holds no secret."""
    if profile is None or profile.provider == ModelProfile.Provider.EMBEDDED:
        return EMBEDDED
    has_tools = {ModelProfile.ToolUse.TOOLS: True, ModelProfile.ToolUse.JSON: False}.get(profile.tool_use)  # type: ignore[call-overload]
    return ModelChoice(
        provider=profile.provider,  # type: ignore[arg-type]
        model=profile.model,
        base_url=profile.base_url or None,
        context_tokens=profile.context_tokens,
        price=prices.price_of(profile, workspace),
        has_tools=has_tools,
        has_vision=profile.has_vision,
        requests_per_minute=profile.requests_per_minute,
        tokens_per_minute=profile.tokens_per_minute,
        max_concurrency=profile.max_concurrency,
        first_token_s=profile.first_token_s,
        between_tokens_s=profile.between_tokens_s,
        has_json_schema=True if profile.tool_use == ModelProfile.ToolUse.JSON else None,
        may_be_private=may_be_private(profile),
    )


def label_of(profile: ModelProfile | None) -> str:
    """Return how cards name the model."""
    choice = choice_of(profile)
    return (
        f"{choice.model} (embedded)"
        if choice.provider == "embedded"
        else f"{choice.model} ({choice.provider})"
    )


def credential_ref(profile: ModelProfile | None) -> str | None:
    """Return the name by which the worker asks for this profile's key, None where there is none to ask for.

    The name holds where the key is sent. A job that was written before the profile moved elsewhere asks by the old name and
    gets nothing, instead of sending the new key to the old address.
    """
    if profile is None or not profile.has_key:
        return None
    place = hashlib.sha256(f"{profile.provider} {profile.base_url}".encode()).hexdigest()[:12]
    return f"profile:{profile.pk}:{place}"
