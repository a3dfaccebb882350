"""`manage.py importworkspace NAME PATH_OR_URL --owner EMAIL`: make a workspace from this disk or from a URL."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.accounts.models import User
from webapp.workspaces import services
from webapp.workspaces.preparing import Source, url_source
from workers.errors import PyAgentError


class Command(BaseCommand):
    """The one door through which a repository of this machine's own disk comes in."""

    help = "Make a workspace from a git repository or archive on this machine, or from an https URL."
    # They load every page and operation, which takes longer than the command.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare NAME, PATH_OR_URL and --owner."""
        parser.add_argument("name")
        parser.add_argument("path_or_url")
        parser.add_argument("--owner", required=True, metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import and print the workspace's number, or say what is wrong and leave nothing behind."""
        owner = User.objects.filter(email=options["owner"].lower()).first()
        if owner is None:
            raise CommandError(f"Nobody has the address {options['owner']}.")
        try:
            workspace = services.create_workspace_now(
                name=options["name"], owner=owner, source=_source(options["path_or_url"])
            )
        except PyAgentError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(workspace.pk))


def _source(path_or_url: str) -> Source:
    if path_or_url.startswith("https://"):
        return url_source(path_or_url)
    path = Path(path_or_url.removeprefix("file://")).absolute()
    if not path.exists():
        raise CommandError(f"{path} does not exist.")
    if path.is_file():
        # Preparing removes the archive that it read; the operator's own must stay.
        copy = Path(tempfile.mkdtemp(dir=Path(settings.PYAGENT_HOME) / "uploads")) / path.name
        shutil.copyfile(path, copy)
        return services.archive_source(copy, path.name)
    return Source(kind="url", url=f"file://{path}", shown_url=f"file:{path.name}", is_file_allowed=True)
