"""Forms about workspaces."""

from __future__ import annotations

from typing import Any

from django import forms

from webapp.form_parts import FormPart, split_form
from webapp.workspaces.models import Role

MAX_UPLOAD_BYTES = 200 * 1024 * 1024
PRIVATE = ("username", "token")


class NewWorkspaceForm(forms.Form):
    """Empty, from a git URL, or from an archive."""

    name = forms.CharField(max_length=80, label="Name")
    description = forms.CharField(max_length=300, required=False, label="What it is for")
    url = forms.URLField(
        required=False,
        label="Import from a git URL",
        widget=forms.URLInput(attrs={"placeholder": "https://example.org/project.git"}),
        assume_scheme="https",
        help_text="https:// only. Without an address and an archive the repository begins empty.",
    )
    archive = forms.FileField(
        required=False,
        label="Or upload an archive",
        help_text=".zip or .tar.gz, up to 200 MB.",
        widget=forms.FileInput(attrs={"accept": ".zip,.tar.gz,.tgz"}),
    )

    username = forms.CharField(
        max_length=120,
        required=False,
        label="User name",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    token = forms.CharField(
        max_length=1000,
        required=False,
        label="Token",
        help_text="Stored encrypted with the remote, never shown again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    @property
    def main(self) -> FormPart:
        """The fields that everybody sees."""
        return split_form(self, PRIVATE)[0]

    @property
    def private(self) -> FormPart:
        """The fields for a repository that asks who comes."""
        return split_form(self, PRIVATE)[1]

    def clean_archive(self) -> Any:
        """Refuse what is too large or of another kind."""
        upload = self.cleaned_data["archive"]
        if upload and upload.size > MAX_UPLOAD_BYTES:
            raise forms.ValidationError("The archive is larger than 200 MB.")
        if upload and not upload.name.lower().endswith((".zip", ".tar.gz", ".tgz")):
            raise forms.ValidationError("Upload a .zip or a .tar.gz.")
        return upload

    def clean(self) -> dict[str, Any]:
        """Refuse two sources at once."""
        data = super().clean() or {}
        if data.get("url") and data.get("archive"):
            raise forms.ValidationError("Choose one: a git URL or an archive.")
        return data


class WorkspaceForm(forms.Form):
    """Name and description."""

    name = forms.CharField(max_length=80, label="Name")
    description = forms.CharField(max_length=300, required=False, label="What it is for")


class InviteForm(forms.Form):
    """Whom to invite, as what."""

    role = forms.ChoiceField(choices=Role.choices, initial=Role.MEMBER, label="Role")
    email = forms.EmailField(
        required=False,
        label="Email (optional)",
        help_text="Who has an account with this address is added at once; everybody else gets a link.",
    )
