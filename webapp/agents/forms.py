"""Forms about calling agents and choosing models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from django import forms

from webapp.agents import budgets, prices, spending
from webapp.agents.definitions import TOOLS
from webapp.agents.models import AgentDefinition, AgentVersion, ModelProfile
from webapp.agents.routes import MAX_MODELS, Route
from webapp.agents.services.definitions import DESCRIPTION_CHARS, INSTRUCTIONS_CHARS, NAME_CHARS
from webapp.agents.services.profiles import MAX_PER_MIN, MAX_SILENCE_S, ProfileFields
from webapp.form_parts import FormPart, split_form
from workers.queue import Budget

PRIORITY_WORDS = {
    "critical": "Critical: suspends others if it must",
    "high": "High: before others",
    "standard": "Standard",
    "low": "Low: when there is room",
}


class StartForm(forms.Form):
    """Call an agent from the runs page."""

    agent = forms.ChoiceField(label="Agent")
    goal = forms.CharField(
        label="What to do",
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Fix the failing test in parser.py"}),
    )

    priority = forms.ChoiceField(label="Priority", initial="standard", required=False)
    attachments = forms.CharField(
        label="Files that come with it",
        required=False,
        max_length=4_000,
        help_text="Paths in this workspace, a line each: pictures, recordings, PDF, text. What the goal names comes too.",
        widget=forms.Textarea(attrs={"rows": 1, "placeholder": "docs/mockup.png", "spellcheck": "false"}),
    )

    def clean_attachments(self) -> list[str]:
        """Return the paths, one for each line."""
        return [line.strip() for line in self.cleaned_data["attachments"].splitlines() if line.strip()]

    def __init__(
        self, *args: Any, agents: list[tuple[str, str]], priorities: tuple[str, ...], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agent"].choices = agents  # type: ignore[attr-defined]
        self.fields["priority"].choices = [(one, PRIORITY_WORDS[one]) for one in priorities]  # type: ignore[attr-defined]

    def clean_priority(self) -> str:
        """Return the priority, Standard when nothing was said."""
        return self.cleaned_data["priority"] or "standard"


class BudgetFields(forms.Form):
    """Where a run stops; what is left empty is as usual."""

    steps = forms.IntegerField(
        label="Model calls of a run",
        required=False,
        min_value=1,
        max_value=budgets.MAX_STEPS,
        help_text="Where a run stops. Left empty: as the workspace’s budget says.",
    )
    tokens = forms.IntegerField(
        label="Tokens of a run", required=False, min_value=1, max_value=budgets.MAX_TOKENS
    )
    seconds = forms.IntegerField(
        label="Seconds of a run", required=False, min_value=1, max_value=budgets.MAX_SECONDS
    )
    cost_usd = forms.FloatField(
        label="Dollars of a run", required=False, min_value=0, max_value=budgets.MAX_COST_USD
    )

    def budget(self, usual: Budget) -> Budget | None:
        """Return the budget that was said, completed by the usual one; None when nothing was."""
        said = {name: self.cleaned_data.get(name) for name in BudgetFields.base_fields}
        given = {name: value for name, value in said.items() if value is not None}
        return replace(usual, **given) if given else None


class BudgetForm(BudgetFields):
    """Where the runs of a workspace stop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("steps", "seconds"):
            self.fields[name].required = True
        self.fields["steps"].help_text = ""
        self.fields["tokens"].help_text = "Read and written together. Left empty: without limit."
        self.fields[
            "cost_usd"
        ].help_text = "Binds only with a model whose price is known. Left empty: without limit."


class AgentForm(BudgetFields):
    """An agent that people define. Its name and who sees it are said once, the rest in each version."""

    name = forms.CharField(
        label="Name",
        max_length=NAME_CHARS,
        help_text="People call it by this name: a–z, digits, - and _, such as docs-writer.",
        widget=forms.TextInput(attrs={"autocapitalize": "off", "spellcheck": "false", "autocomplete": "off"}),
    )
    visibility = forms.ChoiceField(
        label="Who sees and calls it",
        choices=AgentDefinition.Visibility.choices,
        initial=AgentDefinition.Visibility.WORKSPACE,
    )
    description = forms.CharField(
        label="What it is for",
        max_length=DESCRIPTION_CHARS,
        widget=forms.TextInput(attrs={"placeholder": "Keeps the manual in step with the code"}),
    )
    instructions = forms.CharField(
        label="Instructions",
        max_length=INSTRUCTIONS_CHARS,
        help_text="What it is told before each goal. It never has more rights than who calls it.",
        widget=forms.Textarea(attrs={"rows": 12, "class": "mono", "spellcheck": "true"}),
    )
    tools = forms.MultipleChoiceField(
        label="Tools",
        required=False,
        choices=[(name, f"{words} ({name})") for name, words in TOOLS.items()],
        initial=["list_files", "read_file", "search"],
        widget=forms.CheckboxSelectMultiple,
        help_text="What it changes is offered for review, as with every agent.",
    )
    model_id = forms.TypedChoiceField(
        label="Model",
        required=False,
        coerce=int,
        empty_value=None,
        help_text="Runs on its caller’s model where the caller may not use this one.",
    )
    note = forms.CharField(label="What changes in this version", max_length=200, required=False)
    version = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)
    field_order = (
        "name",
        "visibility",
        "description",
        "instructions",
        "tools",
        "model_id",
        *BudgetFields.base_fields,
        "note",
    )

    def __init__(
        self, *args: Any, profiles: Sequence[ModelProfile], version: AgentVersion | None = None, **kwargs: Any
    ) -> None:
        if version is not None:
            names = ("description", "instructions", "tools")
            said = {name: getattr(version, name) for name in names}
            known = {"model_id": version.model_profile_id, "version": version.number}
            kwargs.setdefault("initial", said | (version.budget or {}) | known)
        super().__init__(*args, **kwargs)
        choices = [("", "Its caller’s"), *((profile.pk, profile.name) for profile in profiles)]
        self.fields["model_id"].choices = choices  # type: ignore[attr-defined]
        if version is not None:
            del self.fields["name"], self.fields["visibility"]
        else:
            del self.fields["note"], self.fields["version"]


class RouteForm(forms.Form):
    """An agent's models, in order."""

    agent = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, profiles: list[ModelProfile], route: Route | None = None, **kwargs: Any
    ) -> None:
        self.agent_name = route.agent if route else str(args[0].get("agent", ""))
        kwargs.setdefault("auto_id", f"id_{self.agent_name or 'all'}_%s")
        super().__init__(*args, **kwargs)
        choices = [("", "—"), *((str(profile.pk), profile.name) for profile in profiles)]
        chosen = [str(profile.pk) for profile in route.profiles] if route else []
        self.fields["agent"].initial = self.agent_name
        for place in range(MAX_MODELS):
            field = forms.ChoiceField(
                label="First" if place == 0 else "Then",
                choices=choices,
                required=False,
                initial=chosen[place] if place < len(chosen) else "",
            )
            self.fields[f"model_{place}"] = field

    @property
    def profile_ids(self) -> list[int]:
        """The models that were chosen, in order."""
        found = (self.cleaned_data.get(f"model_{place}") for place in range(MAX_MODELS))
        return [int(chosen) for chosen in found if chosen]


class SpendLimitForm(forms.Form):
    """What may be spent a day and a month."""

    day_usd = forms.FloatField(label="Dollars a day", required=False, min_value=0, max_value=spending.MAX_USD)
    month_usd = forms.FloatField(
        label="Dollars a month",
        required=False,
        min_value=0,
        max_value=spending.MAX_USD,
        help_text="With a limit in dollars, models whose price nobody knows are not asked.",
    )
    day_tokens = forms.IntegerField(
        label="Tokens a day", required=False, min_value=0, max_value=spending.MAX_TOKENS
    )
    month_tokens = forms.IntegerField(
        label="Tokens a month",
        required=False,
        min_value=0,
        max_value=spending.MAX_TOKENS,
        help_text="Read and written together. Left empty: without limit.",
    )


class PersonLimitForm(SpendLimitForm):
    """The same for one person."""

    person = forms.TypedChoiceField(label="Person", coerce=int)
    field_order = ["person"]

    def __init__(self, *args: Any, people: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].choices = people  # type: ignore[attr-defined]


class PriceForm(forms.Form):
    """What a model costs."""

    model = forms.CharField(label="Model", max_length=120, help_text="As the provider names it.")
    input_usd_per_mtok = forms.FloatField(
        label="Input, $ per million tokens", min_value=0, max_value=prices.MAX_USD_PER_MTOK
    )
    output_usd_per_mtok = forms.FloatField(
        label="Output, $ per million tokens", min_value=0, max_value=prices.MAX_USD_PER_MTOK
    )
    cached_input_usd_per_mtok = forms.FloatField(
        label="Cached input, $ per million tokens",
        required=False,
        min_value=0,
        max_value=prices.MAX_USD_PER_MTOK,
        help_text="Left empty: as input.",
    )
    cache_write_usd_per_mtok = forms.FloatField(
        label="Written to the cache, $ per million tokens",
        required=False,
        min_value=0,
        max_value=prices.MAX_USD_PER_MTOK,
        help_text="Left empty: as input.",
    )
    source = forms.CharField(
        label="Where it is from",
        max_length=300,
        required=False,
        help_text="A contract, or the address of a price list.",
    )
    as_of = forms.DateField(
        label="As of",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Left empty: today.",
    )


# What a model works without: its form folds it away.
PROFILE_MORE: Final = (
    *("context_tokens", "tool_use", "has_vision", "input_usd_per_mtok", "output_usd_per_mtok"),
    *("first_token_s", "between_tokens_s", "requests_per_minute", "tokens_per_minute", "max_concurrency"),
)


class ProfileForm(forms.Form):
    """A model: which, where it is served, its key and its price."""

    name = forms.CharField(
        label="Name", max_length=80, widget=forms.TextInput(attrs={"placeholder": "Claude for work"})
    )
    provider = forms.ChoiceField(
        label="Provider", choices=ModelProfile.Provider.choices, initial=ModelProfile.Provider.OPENAI
    )
    model = forms.CharField(
        label="Model",
        max_length=120,
        required=False,
        help_text="As the provider names it. Not needed for the embedded model.",
    )
    base_url = forms.CharField(
        label="Base URL",
        max_length=500,
        required=False,
        help_text="Leave empty for the provider's own address; Ollama's is http://127.0.0.1:11434, on this server. "
        "For example http://localhost:11434/v1 or https://llm.example.org/v1.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    key = forms.CharField(
        label="Key",
        max_length=4_000,
        required=False,
        strip=True,
        widget=forms.PasswordInput(
            render_value=False, attrs={"autocomplete": "new-password", "spellcheck": "false"}
        ),
    )
    remove_key = forms.BooleanField(label="Forget the stored key", required=False)
    context_tokens = forms.IntegerField(
        label="Context in tokens",
        required=False,
        min_value=256,
        max_value=20_000_000,
        help_text="How much the model can read at once. Left empty: 8,192 for an OpenAI-compatible address, 128,000 for "
        "OpenAI Responses, 200,000 for Anthropic, 16,384 for Ollama.",
    )
    tool_use = forms.ChoiceField(
        label="Use of tools",
        choices=ModelProfile.ToolUse.choices,
        initial=ModelProfile.ToolUse.AUTO,
        help_text="Small models often do better with JSON answers.",
    )
    has_vision = forms.TypedChoiceField(
        label="Images",
        choices=[("", "As its name tells"), ("True", "It sees images"), ("False", "It sees none")],
        required=False,
        coerce=lambda value: value == "True",
        empty_value=None,
    )
    input_usd_per_mtok = forms.FloatField(
        label="Input price, $ per million tokens", required=False, min_value=0
    )
    output_usd_per_mtok = forms.FloatField(
        label="Output price, $ per million tokens",
        required=False,
        min_value=0,
        help_text="Left empty: as the workspace's price table says; where that does not know it, the cost shows as unknown.",
    )
    first_token_s = forms.IntegerField(
        label="Seconds until its first word",
        required=False,
        min_value=1,
        max_value=MAX_SILENCE_S,
        help_text="A model that is silent for longer is asked once more, then given up. Left empty: 120, for Ollama 300.",
    )
    between_tokens_s = forms.IntegerField(
        label="Seconds between two words",
        required=False,
        min_value=1,
        max_value=MAX_SILENCE_S,
        help_text="Left empty: 60.",
    )
    requests_per_minute = forms.IntegerField(
        label="Requests per minute",
        required=False,
        min_value=1,
        max_value=MAX_PER_MIN,
        help_text="For this key, over all runs and workers: they wait in a fair queue. Left empty: without limit.",
    )
    tokens_per_minute = forms.IntegerField(
        label="Tokens per minute", required=False, min_value=1, max_value=MAX_PER_MIN
    )
    max_concurrency = forms.IntegerField(
        label="Requests at once", required=False, min_value=1, max_value=MAX_PER_MIN
    )
    is_default = forms.BooleanField(label="Use this model by default", required=False)

    def __init__(self, *args: Any, profile: ModelProfile | None = None, **kwargs: Any) -> None:
        if profile is not None:
            names = set(self.base_fields) - {"key", "remove_key"}
            kwargs.setdefault("initial", {name: getattr(profile, name) for name in names})
        super().__init__(*args, **kwargs)
        has_key = profile is not None and profile.has_key
        self.fields["key"].help_text = (
            "A key is set. It is never shown; type a new one to replace it. It is dropped when provider or address change."
            if has_key
            else "Kept encrypted and never shown again."
        )
        if not has_key:
            del self.fields["remove_key"]

    @property
    def main(self) -> FormPart:
        """Which model, where, and its key."""
        return split_form(self, PROFILE_MORE)[0]

    @property
    def more(self) -> FormPart:
        """What may be left as it is."""
        return split_form(self, PROFILE_MORE)[1]

    def to_fields(self) -> ProfileFields:
        """Return what the person said; an untouched key field keeps the stored key."""
        data = dict(self.cleaned_data)
        is_removed = data.pop("remove_key", False)
        data["key"] = data["key"] or ("" if is_removed else None)
        return ProfileFields(**data)
