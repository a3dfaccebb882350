"""`manage.py createuser EMAIL --password-stdin [--owner]`: make an account without an invitation."""

from __future__ import annotations

import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from webapp.accounts.models import User


class Command(BaseCommand):
    """Reads the password from standard input, so that it stands in no process list."""

    help = "Make an account. The password is read from standard input."
    # They load every page and operation, which takes longer than the command.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare EMAIL, --password-stdin, --owner and --name."""
        parser.add_argument("email")
        parser.add_argument("--password-stdin", action="store_true", required=True)
        parser.add_argument(
            "--owner", action="store_true", help="make this person an owner of the installation"
        )
        parser.add_argument("--name", default="", help="the name that others see")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the account or say what is wrong with the address or the password."""
        email = options["email"].lower()
        password = sys.stdin.readline().rstrip("\r\n")
        try:
            validate_email(email)
            validate_password(password, User(email=email))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if User.objects.filter(email=email).exists():
            raise CommandError(f"{email} has an account already.")
        fields = {"display_name": options["name"]} if options["name"] else {}
        user = User.objects.create_user(email, password, is_installation_owner=options["owner"], **fields)
        self.stdout.write(f"{user.email} can sign in; others call them @{user.handle}.")
