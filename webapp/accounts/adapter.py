"""How allauth lets people in: only by the set-up token, an invitation, or an account they already have."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.http import HttpRequest
from django.urls import reverse

from webapp.accounts import services


class AccountAdapter(DefaultAccountAdapter):
    """Closes sign-up to whoever holds no open invitation in their session."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return whether this session holds an open invitation."""
        return services.invitation_in_session(request) is not None

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """Make the account and use up the invitation, in one transaction."""
        user.display_name = form.cleaned_data.get("display_name", "")
        save = super().save_user
        return services.sign_up(request=request, save=lambda: save(request, user, form, commit))

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        """Lead to the workspace that the invitation was for."""
        if joined_id := request.session.pop(services.JOINED_KEY, None):
            return reverse("workspace", args=[joined_id])
        return str(super().get_signup_redirect_url(request))

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Lead back to the invitation with which somebody came who has an account already."""
        if services.invitation_in_session(request) is not None:
            return reverse("accept_invitation")
        return str(super().get_login_redirect_url(request))


class SocialAdapter(DefaultSocialAccountAdapter):
    """The same rule for single sign-on: a first visit needs an invitation, and uses it up."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Return whether this session holds an open invitation."""
        return services.invitation_in_session(request) is not None

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> Any:
        """Make the account and use up the invitation, in one transaction.

        Allauth asks the account's adapter only when there was a form to fill in; most people who come by single sign-on see
        none.
        """
        if form is not None:
            return super().save_user(request, sociallogin, form)
        save = super().save_user
        return services.sign_up(request=request, save=lambda: save(request, sociallogin))

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:
        """Take the name that others see from what the provider tells."""
        user = super().populate_user(request, sociallogin, data)
        parts = [data.get("first_name") or "", data.get("last_name") or ""]
        user.display_name = (data.get("name") or " ".join(parts)).strip()[:80]
        return user
