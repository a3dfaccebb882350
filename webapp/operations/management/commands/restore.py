"""`manage.py restore DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.operations import backup
from workers.errors import PyAgentError


class Command(BaseCommand):
    """Only into an empty installation: nothing that exists is overwritten."""

    help = "Put a backup back into an empty installation."
    # They load every page and operation, which takes longer than the command.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare DIR."""
        parser.add_argument("dir", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, or say what stands in the way."""
        try:
            manifest = backup.restore(options["dir"])
        except PyAgentError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Restored the backup of {manifest['made_at']}. Stop and start PyAgent now.")
