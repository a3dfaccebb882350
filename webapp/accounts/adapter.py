"""How allauth lets people in: only by the set-up token, an invitation, or an account they already have."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.http import HttpRequest

from webapp.accounts import services


class AccountAdapter(DefaultAccountAdapter):
    """Closes sign-up to whoever holds no open invitation in their session."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return whether this session holds an open invitation."""
        return services.invitation_in_session(request) is not None

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """Make the account and use up the invitation, in one transaction."""
        return services.sign_up(request=request, user=user, form=form, save=super().save_user)


class SocialAdapter(DefaultSocialAccountAdapter):
    """The same rule for single sign-on: a first visit needs an invitation."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Return whether this session holds an open invitation."""
        return services.invitation_in_session(request) is not None
