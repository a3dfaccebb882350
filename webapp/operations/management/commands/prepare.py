"""`manage.py prepare`: what a start does once the tables are there. Prints the URL to open, one line, on standard output.

On a fresh installation that URL carries the one-time set-up token. Only the token's hash is kept, so each start before the
first sign-up makes a new one and the old ones stop working.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from webapp.accounts.models import Invitation, User
from webapp.accounts.services import create_invitation
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import repository_of
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)


class Command(BaseCommand):
    """Exit status 0; the URL is the only thing on standard output."""

    help = "Finish what a crash left, and print the URL to open."
    # They load every page and operation, which takes longer than the command.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Recover every workspace, then print the URL."""
        for workspace in Workspace.objects.filter(state=Workspace.State.READY):
            try:
                repository_of(workspace).recover()
            except PyAgentError as error:
                # One damaged workspace must not keep everybody else out; its own pages say what is wrong.
                log.error("a workspace could not be recovered", workspace_id=workspace.pk, error=str(error))
        url = settings.PUBLIC_URL
        if not User.objects.filter(is_installation_owner=True).exists():
            Invitation.objects.filter(is_setup=True, used_at=None).delete()
            _, token = create_invitation(invited_by=None, is_setup=True)
            url = f"{url}/setup/?token={token}"
        self.stdout.write(url)
