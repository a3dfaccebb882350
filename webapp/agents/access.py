"""Who may see and steer runs, and whose model profiles are whose."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from webapp.accounts.access import is_bound, owns_installation
from webapp.accounts.models import User
from webapp.agents.models import AgentDefinition, ModelProfile, Run
from webapp.errors import Forbidden, NotFound
from webapp.workspaces.access import includes, role_of, workspace_for
from webapp.workspaces.models import Role, Workspace
from workers.queue import PRIORITIES

Person = User | AnonymousUser


def run_for(
    user: Person, run_id: str | UUID, role: str = Role.VIEWER, *, workspace_id: int | None = None
) -> Run:
    """Return the run, for a person with at least `role` in its workspace; with `workspace_id`, only if it is of that one.

    Raises:
        NotFound: there is none, or the person may not see it.
        Forbidden: the person sees it with less than `role`.
    """
    try:
        key = run_id if isinstance(run_id, UUID) else UUID(str(run_id))
    except ValueError as error:
        raise NotFound("There is no such run, or you may not see it.") from error
    run = (
        Run.objects.select_related("workspace", "requested_by", "proposed_change_set").filter(pk=key).first()
    )
    found = role_of(user, run.workspace_id) if run else None
    if run is None or found is None or workspace_id not in (None, run.workspace_id):
        raise NotFound("There is no such run, or you may not see it.")
    if not includes(found, role):
        raise Forbidden(f"This needs the role “{role}”; you are {found} here.")
    run.workspace.role = found  # type: ignore[attr-defined]
    return run


def may_cancel(user: Person, run: Run) -> bool:
    """Return whether the person may stop this run: who called the agent while still a member, or a maintainer."""
    if not user.is_authenticated:
        return False
    role = role_of(user, run.workspace_id)
    if role is None or not includes(role, Role.MEMBER):
        return False
    return run.requested_by_id == user.pk or includes(role, Role.MAINTAINER)


def may_retry(user: Person, run: Run) -> bool:
    """Return whether the person may try this run again: whoever may call agents here."""
    role = role_of(user, run.workspace_id)
    return role is not None and includes(role, Role.MEMBER)


def run_to_cancel(user: Person, run_id: str | UUID, *, workspace_id: int | None = None) -> Run:
    """Return the run for a person who may stop it. Raises as `run_for`."""
    return run_to_control(user, run_id, workspace_id=workspace_id, doing="stop")


def run_to_control(
    user: Person, run_id: str | UUID, *, workspace_id: int | None = None, doing: str = "control"
) -> Run:
    """Return the run for a person who may stop, suspend, resume, dismiss or re-prioritise it. Raises as `run_for`."""
    run = run_for(user, run_id, Role.MEMBER, workspace_id=workspace_id)
    if not may_cancel(user, run):
        raise Forbidden(f"Only who called the agent, or a maintainer, may {doing} this run.")
    return run


def priorities_for(role: str | None) -> tuple[str, ...]:
    """Return the priorities that somebody with this role may give a run, the most urgent first; none for a viewer."""
    if role is None or not includes(role, Role.MEMBER):
        return ()
    return tuple(one for one in PRIORITIES if one != "critical" or includes(role, Role.MAINTAINER))


def check_priority(role: str | None, priority: str) -> None:
    """Refuse a priority that a person with this role may not give.

    Raises:
        Forbidden: it is Critical, which suspends what others have at work, and the person is no maintainer.
    """
    if priority in PRIORITIES and priority not in priorities_for(role):
        raise Forbidden("Only maintainers make a run critical: it may suspend what others have at work.")


class ProfileOwner:
    """Whose model profiles are meant: one person's, one workspace's, or the installation's."""

    def __init__(self, *, user: User | None = None, workspace: Workspace | None = None) -> None:
        self.user, self.workspace = user, workspace

    @property
    def filter(self) -> dict[str, Any]:
        """Return the fields that say it on a row."""
        return {"user": self.user, "workspace": self.workspace}

    @property
    def kind(self) -> str:
        """Return `person`, `workspace` or `installation`."""
        return "person" if self.user else "workspace" if self.workspace else "installation"


def _person(user: Person) -> User:
    if not isinstance(user, User) or not user.is_active:
        raise NotFound()
    return user


def own_profiles(user: Person) -> ProfileOwner:
    """Return the person's own profiles' owner; a key bound to a workspace does not reach them."""
    person = _person(user)
    if is_bound(person):
        raise Forbidden("This key is bound to one workspace; a person's own models are beyond it.")
    return ProfileOwner(user=person)


def workspace_profiles(user: Person, workspace_id: int, *, role: str = Role.MAINTAINER) -> ProfileOwner:
    """Return the workspace's profiles' owner, for a person with at least `role`."""
    return ProfileOwner(workspace=workspace_for(user, workspace_id, role=role))


def installation_profiles(user: Person) -> ProfileOwner:
    """Return the installation's profiles' owner, for its owner."""
    person = _person(user)
    if not owns_installation(person):
        raise Forbidden("Only the owner of this installation sets models for everybody.")
    return ProfileOwner()


def profile_for(owner: ProfileOwner, profile_id: int) -> ModelProfile:
    """Return that owner's profile.

    Raises:
        NotFound: the owner has no such profile.
    """
    profile = ModelProfile.objects.filter(pk=profile_id, **owner.filter).first()
    if profile is None:
        raise NotFound("There is no such model here.")
    return profile


def profile_to_change(user: User, profile_id: int) -> tuple[ProfileOwner, ModelProfile]:
    """Return whose profile it is and the profile, for a person who may change it.

    Raises:
        NotFound: there is none, or it is not the person's to change.
    """
    profile = ModelProfile.objects.filter(pk=profile_id).first()
    try:
        if profile is None or (profile.user_id is not None and profile.user_id != user.pk):
            raise NotFound
        if profile.workspace_id is not None:
            return workspace_profiles(user, profile.workspace_id), profile
        return (own_profiles(user) if profile.user_id else installation_profiles(user)), profile
    except (NotFound, Forbidden) as error:
        raise NotFound("There is no such model here.") from error


def workspace_or_none(user: User, workspace_id: int | None) -> Workspace | None:
    """Return the workspace for one who is in it, None when none is asked for; a bound key's own workspace is always meant."""
    workspace_id = workspace_id if workspace_id is not None else getattr(user, "bound_workspace_id", None)
    return workspace_for(user, workspace_id) if workspace_id is not None else None


def profile_to_run_on(user: User, workspace: Workspace, profile_id: int) -> ModelProfile:
    """Return a profile that the person may run agents on in this workspace: their own, the workspace's, the installation's."""
    profile = ModelProfile.objects.filter(pk=profile_id).first()
    is_theirs = profile is not None and (
        profile.user_id == user.pk
        or (profile.workspace_id is not None and profile.workspace_id == workspace.pk)
        or (profile.user_id is None and profile.workspace_id is None)
    )
    if profile is None or not is_theirs:
        raise NotFound("There is no such model here.")
    return profile


def definition_for(user: Person, workspace: Workspace, definition_id: int) -> AgentDefinition:
    """Return an agent that people defined, which the person may see in this workspace; archived ones too.

    Raises:
        NotFound: there is none, it is another workspace's, or it is private and somebody else's.
    """
    row = AgentDefinition.objects.select_related("current", "owner").filter(pk=definition_id).first()
    is_private = row is not None and row.visibility == AgentDefinition.Visibility.PRIVATE
    if (
        row is None
        or row.workspace_id not in (None, workspace.pk)
        or (is_private and row.owner_id != _person(user).pk)
    ):
        raise NotFound("There is no such agent here.")
    return row


def may_define(user: Person, workspace: Workspace, visibility: str) -> bool:
    """Return whether the person may define an agent that these see: a member here, for everybody the installation's owner."""
    if not isinstance(user, User):
        return False
    if visibility == AgentDefinition.Visibility.INSTALLATION:
        return owns_installation(user)
    role = role_of(user, workspace.pk)
    return role is not None and includes(role, Role.MEMBER)


def may_change_definition(user: Person, workspace: Workspace, row: AgentDefinition) -> bool:
    """Return whether the person may change this agent: who defined it, or a maintainer for what the workspace sees."""
    if not isinstance(user, User) or not may_define(user, workspace, row.visibility):
        return False
    if row.workspace_id is None or row.owner_id == user.pk:
        return True
    return includes(role_of(user, workspace.pk) or "", Role.MAINTAINER)


def definition_to_change(user: Person, workspace: Workspace, definition_id: int) -> AgentDefinition:
    """Return an agent for a person who may change it. Raises as `definition_for`, and Forbidden."""
    row = definition_for(user, workspace, definition_id)
    if not may_change_definition(user, workspace, row):
        raise Forbidden("Only who defined this agent, or a maintainer, may change it.")
    return row
