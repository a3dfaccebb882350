"""Who may see and change lessons: whoever is in the workspace reads, members change."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from webapp.accounts.models import User
from webapp.errors import NotFound
from webapp.learning.models import Lesson
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role


def lesson_for(
    user: User | AnonymousUser, workspace_id: int, lesson_id: int, *, role: str = Role.VIEWER
) -> Lesson:
    """Return a lesson of this workspace, for a person with at least `role` there.

    Raises:
        NotFound: there is none, or the person is not in the workspace.
        Forbidden: the person is in it with less than `role`.
    """
    workspace = workspace_for(user, workspace_id, role=role)
    lesson = Lesson.objects.filter(workspace=workspace, pk=lesson_id).first() if lesson_id < 2**63 else None
    if lesson is None:
        raise NotFound("There is no such lesson.")
    lesson.workspace = workspace
    return lesson
