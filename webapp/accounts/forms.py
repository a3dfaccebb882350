"""Forms about people."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest

from webapp.accounts.models import User


class SignupForm(forms.Form):
    """What sign-up asks besides e-mail and password."""

    display_name = forms.CharField(
        label="Your name",
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "name", "placeholder": "Ada Lovelace"}),
    )
    field_order = ["display_name", "email", "password1"]

    def signup(self, request: HttpRequest, user: User) -> None:
        """Allauth's hook after the account was made; the adapter has stored the name already."""


class ProfileForm(forms.ModelForm):
    """The person's own name and handle."""

    class Meta:
        model = User
        fields = ["display_name", "handle"]

    def clean_handle(self) -> str:
        """Refuse handles that agents have."""
        from webapp.accounts.handles import RESERVED

        handle: str = self.cleaned_data["handle"].lower()
        if handle in RESERVED:
            raise forms.ValidationError("This handle belongs to an agent.")
        return handle
