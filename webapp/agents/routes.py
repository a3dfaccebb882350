"""Which models an agent of a workspace runs on, in order, and what of that list a run may go on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from webapp.agents import choosing, definitions
from webapp.agents.models import AgentRoute, ModelProfile, Run
from webapp.errors import Invalid
from webapp.workspaces.models import Workspace

MAX_MODELS: Final = 4


@dataclass(frozen=True, slots=True)
class Route:
    """One agent's list; an empty `agent` stands for all agents without a list of their own."""

    agent: str
    profiles: list[ModelProfile]


def offered_profiles(workspace: Workspace) -> list[ModelProfile]:
    """Return what a list may name: the workspace's models and the installation's, never a person's own."""
    is_offered = Q(workspace=workspace) | Q(user=None, workspace=None)
    return list(ModelProfile.objects.filter(is_offered).order_by("workspace", "name", "pk"))


def routes_of(workspace: Workspace) -> list[Route]:
    """Return the list of each agent that needs a model, and first the one for all others."""
    found: dict[str, list[ModelProfile]] = {}
    for row in AgentRoute.objects.filter(workspace=workspace).select_related("profile"):
        found.setdefault(row.agent, []).append(row.profile)
    names = ["", *(agent.name for agent in definitions.callable_agents(None, workspace) if agent.needs_model)]
    return [Route(name, found.get(name, [])) for name in names]


@transaction.atomic
def set_route(*, workspace: Workspace, agent: str, profile_ids: Sequence[int]) -> None:
    """Let the agent run on these models, in this order; none means no list of its own.

    Raises:
        Invalid: there is no such agent, or a model is none that the workspace may use, named twice, or one too many.
    """
    info = definitions.find_agent(agent, None, workspace) if agent else None
    if agent and (info is None or not info.needs_model):
        raise Invalid(f"There is no agent @{agent} that needs a model.", field="agent")
    if len(profile_ids) > MAX_MODELS or len(set(profile_ids)) != len(profile_ids):
        raise Invalid(f"Name up to {MAX_MODELS} models, each once.", field="models")
    offered = {profile.pk for profile in offered_profiles(workspace)}
    if not offered.issuperset(profile_ids):
        raise Invalid("A list names models of this workspace or of the installation.", field="models")
    AgentRoute.objects.filter(workspace=workspace, agent=agent).delete()
    AgentRoute.objects.bulk_create(
        AgentRoute(workspace=workspace, agent=agent, profile_id=profile_id, place=place)
        for place, profile_id in enumerate(profile_ids)
    )


def first_model_of(run: Run) -> dict[str, Any]:
    """Return the model that the run was called on, as the engine is handed it for its next attempt: at the price that holds now.

    A price that rises while the run waits would else let it overspend a limit in dollars. A profile that became another model
    meanwhile says nothing of what this one costs.
    """
    told, profile = run.model_choice, run.model_profile
    if profile is None:
        return told
    now = choosing.choice_of(profile, run.workspace).to_dict()
    is_same = all(now[name] == told.get(name) for name in ("provider", "model", "base_url"))
    return told | {"price": now["price"]} if is_same else told


def fallback_profiles(run: Run) -> list[ModelProfile]:
    """Return the models that the run may go on with when its own fails, in order."""
    if not run.model_label or run.model_label == choosing.NO_MODEL_LABEL:
        return []
    found = choosing.route_of(run.workspace, run.agent)
    return [profile for profile in found if profile.pk != run.model_profile_id]


def fallbacks_of(run: Run) -> list[dict[str, Any]]:
    """Return them as the engine is handed them: no secret in it, only the name to ask for one by."""
    return [
        {
            "model": choosing.choice_of(profile, run.workspace).to_dict(),
            "credential_ref": choosing.credential_ref(profile),
        }
        for profile in fallback_profiles(run)
    ]


def profile_named(run: Run, ref: str) -> ModelProfile | None:
    """Return the profile of this run that has this name, with a key: its own, or one that it may go on with."""
    for profile in (run.model_profile, *fallback_profiles(run)):
        if profile is not None and profile.has_key and choosing.credential_ref(profile) == ref:
            return profile
    return None
