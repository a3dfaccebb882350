"""`manage.py backup DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.operations import backup
from workers.changes.paths import to_portable
from workers.errors import PyAgentError


class Command(BaseCommand):
    """Says whether the backup holds the keys: without them, stored provider keys cannot be read again."""

    help = "Write the database and every repository to a new folder."
    # They load every page and operation, which takes longer than the command.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare DIR and --with-keys."""
        parser.add_argument("dir", type=Path)
        parser.add_argument("--with-keys", action="store_true", help="include the secret and vault keys")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the backup."""
        try:
            manifest = backup.back_up(options["dir"], with_keys=options["with_keys"])
        except PyAgentError as error:
            raise CommandError(str(error)) from error
        keys = "It holds the keys: keep it as safe as a password."
        if not manifest["has_keys"]:
            keys = (
                "It does not hold the keys: keep PYAGENT_VAULT_KEY elsewhere, or stored provider keys and"
                " credentials must be typed in again."
            )
        self.stdout.write(f"{len(manifest['files'])} files in {options['dir']}. {keys}")
        if manifest["left_out"]:
            self.stdout.write(
                "Left out, since nothing could put it back (pipes, sockets, what may not be read, what is nested too deep):"
            )
        for path in manifest["left_out"]:
            self.stdout.write(f"  {to_portable(path)[:200]}")
