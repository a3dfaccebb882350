"""`python manage.py codehealth PATH`: measure the code of a folder or a file, for terminals and CI."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workers.changes.paths import to_portable
from workers.codehealth import reports
from workers.codehealth.auditor import CodeHealthAuditor
from workers.codehealth.metrics import FileAudit, audit_workspace
from workers.codehealth.thresholds import CYCLOMATIC_HIGH


class Command(BaseCommand):
    help = "Measure the code below PATH. Exit status 1 when --fail-over is given and a function is over it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Name what may be asked for."""
        parser.add_argument("path", type=Path, help="a folder or a file")
        parser.add_argument("--format", choices=("table", "json", "sarif"), default="table")
        parser.add_argument(
            "--fail-over",
            type=int,
            metavar="N",
            help="end with status 1 when a function's complexity (C901, as ruff counts it) is over N",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure, print, and judge."""
        fail_over: int | None = options["fail_over"]
        limit = CYCLOMATIC_HIGH if fail_over is None else fail_over
        audits = self._measure(options["path"])
        self.stdout.write(render(audits, limit, options["format"]))
        if fail_over is not None and reports.over_limit(audits, fail_over):
            sys.exit(1)

    def _measure(self, path: Path) -> list[FileAudit]:
        """Return the audits of the source files at `path` whose language is known, in the order of their paths.

        Raises:
            CommandError: nothing is there, or it cannot be opened.
        """
        if path.is_file():
            audits: Sequence[FileAudit] = CodeHealthAuditor().audit_files(path.parent, [path.name])
        elif path.is_dir():
            try:
                found = audit_workspace(path, progress=self._say_progress)
            except OSError as error:
                raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
            for skipped in found.skipped:
                self.stderr.write(to_portable(f"left out: {skipped.path}: {skipped.reason}"))
            audits = found.files
        else:
            raise CommandError(f"There is no file or folder {path}.")
        return [audit for audit in audits if audit.language is not None]

    def _say_progress(self, done: int, total: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{done} of {total} files", ending="\n" if done == total else "")


def render(audits: list[FileAudit], limit: int, form: str) -> str:
    """Return the report in this form; names that are no UTF-8 are made printable."""
    if form == "table":
        return to_portable(reports.as_table(audits, limit))
    found = reports.as_json(audits, limit) if form == "json" else reports.as_sarif(audits, limit)
    return json.dumps(found, indent=2 if form == "sarif" else None)
