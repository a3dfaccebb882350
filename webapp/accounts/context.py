"""What the pages about people show: the invitation that let the visitor in, whether anybody was here before, where mail goes."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from webapp.accounts.models import User
from webapp.accounts.services import invitation_in_session


def invitation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `setup_invitation` and `lacks_owner`, looked up only when a template asks, and `is_mail_logged`."""
    return {
        "setup_invitation": SimpleLazyObject(lambda: invitation_in_session(request)),
        "lacks_owner": SimpleLazyObject(lambda: not User.objects.filter(is_installation_owner=True).exists()),
        "is_mail_logged": not settings.EMAIL_HOST,
    }
