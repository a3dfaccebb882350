"""`manage.py createapikey EMAIL --scopes read,write [--workspace ID]`: make a key; it is printed once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.accounts import services
from webapp.accounts.models import SCOPES, User
from webapp.workspaces.models import Workspace
from workers.errors import PyAgentError


class Command(BaseCommand):
    """Prints the key alone on standard output, so that a script can catch it."""

    help = f"Make an API key. Scopes: {', '.join(SCOPES)}."
    # They load every page and operation, which takes longer than the command.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare EMAIL, --scopes, --workspace and --name."""
        parser.add_argument("email")
        parser.add_argument("--scopes", required=True, help="comma or space separated", nargs="+")
        parser.add_argument("--workspace", type=int, help="bind the key to this workspace")
        parser.add_argument("--name", default="made by the operator")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the key or say what is wrong."""
        user = User.objects.filter(email=options["email"].lower()).first()
        if user is None:
            raise CommandError(f"Nobody has the address {options['email']}.")
        workspace_id = options["workspace"]
        if workspace_id is not None and not Workspace.objects.filter(pk=workspace_id).exists():
            raise CommandError(f"There is no workspace {workspace_id}.")
        scopes = [scope for word in options["scopes"] for scope in word.split(",") if scope]
        try:
            _, key = services.create_api_key(
                user=user, name=options["name"], scopes=scopes, workspace_id=workspace_id
            )
        except PyAgentError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(key)
