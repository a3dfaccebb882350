"""The forms of a workspace's limits and of its own patterns."""

from __future__ import annotations

from django import forms

from webapp.codehealth.models import PatternRule
from webapp.codehealth.services.limits import MAX_COMPLEXITY


class LimitsForm(forms.Form):
    """What a workspace tolerates; an empty field switches that limit off."""

    max_cyclomatic = forms.IntegerField(
        label="Highest complexity of a function",
        min_value=1,
        max_value=MAX_COMPLEXITY,
        required=False,
        help_text="C901, as ruff counts it. 10 is McCabe’s own limit; 15 is common.",
    )
    max_cognitive = forms.IntegerField(
        label="Highest cognitive complexity of a function",
        min_value=1,
        max_value=MAX_COMPLEXITY,
        required=False,
        help_text="By Sonar’s paper, which names 15.",
    )
    min_maintainability = forms.FloatField(
        label="Lowest maintainability of a file",
        min_value=0,
        max_value=100,
        required=False,
        help_text="0 to 100, as radon counts it; radon calls 20 and more good.",
    )
    no_worse = forms.BooleanField(
        label="No worse than before: no function that is there may get more complex", required=False
    )
    is_required = forms.BooleanField(
        label="Refuse to apply a review that breaks one of these",
        required=False,
        help_text="What was over a limit before may stay so, as long as it gets no worse.",
    )


class RuleForm(forms.Form):
    """A pattern that the workspace does not want in its files."""

    name = forms.CharField(
        label="Name", max_length=40, help_text="Letters a–z, digits and -, such as no-sleep."
    )
    pattern = forms.CharField(
        label="Pattern",
        max_length=500,
        help_text="A regular expression without look-around; ^ and $ stand at line ends.",
        widget=forms.TextInput(attrs={"class": "mono", "autocapitalize": "off", "spellcheck": "false"}),
    )
    message = forms.CharField(label="What is wrong with it", max_length=120)
    kind = forms.ChoiceField(label="It is", choices=PatternRule.Kind.choices)
    endings = forms.CharField(
        label="Only in files ending in",
        max_length=200,
        required=False,
        help_text="Such as .py .pyi; empty for all files.",
    )

    def clean_endings(self) -> list[str]:
        """Return the endings as a list."""
        return str(self.cleaned_data["endings"]).replace(",", " ").split()
