"""`manage.py doctor`: each component, which one, where, whether it is healthy, and why not."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from webapp.operations.doctor import examine


class Command(BaseCommand):
    """Exit status 1 when something that is needed is not healthy."""

    help = "Say for each component which one is used, where it is, and whether it is healthy."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare --json."""
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the findings."""
        findings = examine()
        if options["json"]:
            self.stdout.write(json.dumps([finding.to_dict() for finding in findings], indent=1))
        else:
            for finding in findings:
                mark = "ok  " if finding.is_healthy else ("BAD " if finding.is_needed else "away")
                why = f"  ({finding.why})" if finding.why else ""
                self.stdout.write(f"{mark}  {finding.component:<15} {finding.which:<32} {finding.where}{why}")
        if any(finding.is_needed and not finding.is_healthy for finding in findings):
            sys.exit(1)
