"""The form in which a maintainer edits the policy."""

from __future__ import annotations

from django import forms

from workers.agents.policy.pack import MAX_CHARS


class PolicyForm(forms.Form):
    """The pack as text, and why it changes."""

    text = forms.CharField(
        label="Rules",
        max_length=MAX_CHARS,
        strip=False,
        widget=forms.Textarea(
            attrs={"rows": 28, "spellcheck": "false", "autocapitalize": "off", "class": "mono"}
        ),
    )
    note = forms.CharField(label="What changes, in a line", max_length=200, required=False)
    expected = forms.IntegerField(widget=forms.HiddenInput)
