"""Who sees how much of the fleet. It is shared by all workspaces, so each sees its own runs and only counts of the others'."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from webapp.accounts.access import require_owner
from webapp.accounts.models import User
from webapp.agents.access import Person
from webapp.agents.models import Run
from webapp.errors import NotFound
from webapp.workspaces.access import includes, workspace_for
from webapp.workspaces.models import Membership, Role, Workspace


@dataclass(frozen=True, slots=True)
class Sight:
    """What one person may see of the fleet, and which runs they may hold."""

    user_id: int
    workspace: Workspace | None
    """None: the whole fleet, for the installation's owner."""
    member_of: frozenset[int]
    """Workspaces whose runs' words may be shown: an owner of the installation is no member of all of them."""

    @property
    def is_whole(self) -> bool:
        """Whether machines and every workspace's runs are seen."""
        return self.workspace is None

    def shows(self, workspace_id: int) -> bool:
        """Return whether a run of this workspace is shown by name."""
        return self.workspace is None or self.workspace.pk == workspace_id

    def may_hold(self, run: Run) -> bool:
        """Return whether the person may suspend, stop and re-prioritise the run from this page."""
        if self.workspace is None:
            return True
        role = self.workspace.role  # type: ignore[attr-defined]
        is_own = run.requested_by_id == self.user_id and includes(role, Role.MEMBER)
        return self.workspace.pk == run.workspace_id and (is_own or includes(role, Role.MAINTAINER))


def whole_fleet(user: Person) -> Sight:
    """Return the sight of the installation's owner.

    Raises:
        NotFound: it is somebody else, or their key is bound to one workspace.
    """
    owner = require_owner(user)
    return Sight(owner.pk, None, frozenset(_workspaces_of(owner)))


def fleet_of(user: User, workspace_id: int) -> Sight:
    """Return the sight of a member of the workspace. Raises as `workspace_for`."""
    workspace = workspace_for(user, workspace_id)
    return Sight(user.pk, workspace, frozenset({workspace.pk}))


def run_of_fleet(user: Person, run_id: UUID) -> Run:
    """Return any run, for the installation's owner, who keeps the fleet in order.

    Raises:
        NotFound: there is none, or it is not for this person.
    """
    require_owner(user)
    run = Run.objects.select_related("workspace", "requested_by").filter(pk=run_id).first()
    if run is None:
        raise NotFound("There is no such run.")
    return run


def workspace_of_fleet(user: Person, workspace_id: int) -> Workspace:
    """Return any workspace, for the installation's owner, who says how the fleet is shared.

    Raises:
        NotFound: there is none, or it is not for this person.
    """
    require_owner(user)
    is_possible = 0 < workspace_id < 2**63  # larger: no database has it
    workspace = Workspace.objects.filter(pk=workspace_id).first() if is_possible else None
    if workspace is None:
        raise NotFound("There is no such workspace.")
    return workspace


def _workspaces_of(owner: User) -> list[int]:
    return list(Membership.objects.filter(user=owner).values_list("workspace_id", flat=True))
