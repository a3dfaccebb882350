"""Where a workspace's repository lives, and who its commits are by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from webapp.errors import Conflict
from webapp.workspaces.models import Workspace
from workers.changes.repository import Author, Repository

if TYPE_CHECKING:
    from webapp.accounts.models import User


def root_of(workspace_id: int) -> Path:
    """Return the folder that holds this workspace's repository, files, vault and worktrees."""
    return Path(settings.PYAGENT_HOME) / "workspaces" / str(int(workspace_id))


def repository_of(workspace: Workspace) -> Repository:
    """Return the repository of a workspace that is ready.

    Raises:
        Conflict: it is still being prepared, or that failed.
    """
    if workspace.state != Workspace.State.READY:
        raise Conflict(
            f"This workspace is not ready: {workspace.state_note or workspace.get_state_display()}.",
            state=workspace.state,
        )
    return Repository(root_of(workspace.pk))


def author_of(user: User | None) -> Author:
    """Return the git author for a person; PyAgent itself for nobody."""
    return (
        Author(name=user.display_name, email=user.email)
        if user
        else Author(name="PyAgent", email="pyagent@localhost")
    )
