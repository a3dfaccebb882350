"""The forms of unattended work."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from webapp.accounts.models import User
from webapp.agents import definitions as agents
from webapp.agents.budgets import default_budget
from webapp.agents.choosing import usable_profiles
from webapp.agents.forms import BudgetFields
from webapp.agents.services.runs import GOAL_CHARS
from webapp.chat.models import Channel
from webapp.form_parts import FormPart, split_form
from webapp.seen import DIGEST_CHARS
from webapp.unattended import cron
from webapp.unattended.models import Calling, Schedule, Webhook
from webapp.unattended.services import Limits, Terms, When
from webapp.unattended.services import goals as limits
from webapp.unattended.services.calling import UNATTENDED_PRIORITIES, CallingFields
from webapp.workspaces.models import Workspace

MORE: Final = ("profile_id", "priority", "channel_id", "topic", *BudgetFields.base_fields)
EVERY: Final = {
    "hour": ("Every hour", "{minute} * * * *"),
    "day": ("Every day", "{minute} {hour} * * *"),
    "weekday": ("Monday to Friday", "{minute} {hour} * * 1-5"),
    "week": ("Every Monday", "{minute} {hour} * * 1"),
    "month": ("On the first of each month", "{minute} {hour} 1 * *"),
    "cron": ("As the cron expression says", ""),
}


class CallingForm(BudgetFields):
    """How an agent is called."""

    name = forms.CharField(label="Name", max_length=80)
    agent = forms.ChoiceField(label="Agent", initial="coder")
    goal = forms.CharField(
        label="What to do",
        max_length=GOAL_CHARS,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    profile_id = forms.TypedChoiceField(label="Model", required=False, coerce=int, empty_value=None)
    priority = forms.ChoiceField(
        label="Priority", choices=[(name, name.title()) for name in UNATTENDED_PRIORITIES], initial="standard"
    )
    channel_id = forms.TypedChoiceField(label="Cards stand in", required=False, coerce=int, empty_value=None)
    topic = forms.CharField(
        label="Topic", max_length=80, required=False, help_text="Of the channel; “runs” when empty."
    )
    field_order: Any = ("name", "agent", "goal")

    def __init__(
        self, *args: Any, workspace: Workspace, user: User, item: Calling | None = None, **kwargs: Any
    ) -> None:
        if item is not None:
            kwargs["initial"] = self.initial_of(item)
        super().__init__(*args, **kwargs)
        self._workspace, self._user, self._item = workspace, user, item
        if item is not None:
            self.fields["seen"] = forms.CharField(
                max_length=DIGEST_CHARS, required=False, initial=item.seen, widget=forms.HiddenInput
            )
        chosen = [("", "The default model")]
        chosen += [(str(profile.pk), str(profile)) for profile in usable_profiles(user, workspace)]
        channels = Channel.objects.filter(workspace=workspace, is_archived=False)
        options = {
            "agent": [(agent.name, f"@{agent.name}") for agent in agents.callable_agents(user, workspace)],
            "profile_id": chosen,
            "channel_id": [("", "Among the runs"), *((str(one.pk), f"#{one}") for one in channels)],
        }
        for name, choices in options.items():
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    def initial_of(self, item: Calling) -> dict[str, Any]:
        """Return what the form shows of an item that is there."""
        names = ("name", "agent", "goal", "profile_id", "priority", "channel_id", "topic")
        return {name: getattr(item, name) for name in names} | item.budget

    def take_up(self) -> list[tuple[str, str]]:
        """Return label and words of what the item says otherwise by now than this form, which is saved over it from now on."""
        item = self._item and type(self._item)._default_manager.filter(pk=self._item.pk).first()
        if item is None:
            return []
        now = type(self)(workspace=self._workspace, user=self._user, item=item)
        answers = self.data.copy()  # type: ignore[attr-defined]
        answers["seen"] = item.seen
        self.data = answers
        said = self.said()
        return [
            (str(field.label), _words(field))
            for field in now.visible_fields()
            if field.name in said and _plain(said[field.name]) != _plain(now.initial.get(field.name))
        ]

    def said(self) -> dict[str, Any]:
        """Return what was typed, by the names and in the types of `initial_of`."""
        return dict(self.cleaned_data)

    def to_fields(self) -> CallingFields:
        """Return the call as the services take it."""
        data = self.cleaned_data
        names = ("name", "agent", "goal", "profile_id", "priority", "channel_id", "topic")
        budget = self.budget(default_budget(self._workspace))
        return CallingFields(**{name: data[name] for name in names}, budget=budget)

    @property
    def main(self) -> FormPart:
        """What everybody fills in."""
        return split_form(self, MORE)[0]

    @property
    def more(self) -> FormPart:
        """What may be left as it is."""
        return split_form(self, MORE)[1]


def _plain(value: Any) -> Any:
    return value.replace("\r\n", "\n") or None if isinstance(value, str) else value


def _words(field: forms.BoundField) -> str:
    """Return what a field shows, as people read it."""
    value = field.value()
    choices = {str(key): str(words) for key, words in getattr(field.field, "choices", ())}
    return choices.get(str(value), "—" if value in (None, "") else str(value))


class ScheduleForm(CallingForm):
    """An agent that is called again and again."""

    every = forms.ChoiceField(
        label="When", choices=[(name, words) for name, (words, _) in EVERY.items()], initial="day"
    )
    at = forms.TimeField(
        label="At",
        required=False,
        initial="03:00",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="Of an hourly schedule only the minutes count.",
    )
    cron = forms.CharField(
        label="Cron expression",
        max_length=cron.MAX_CHARS,
        required=False,
        help_text="Minute, hour, day, month, weekday. Counts only when it is chosen above.",
        widget=forms.TextInput(
            attrs={
                "class": "mono",
                "spellcheck": "false",
                "autocapitalize": "off",
                "placeholder": "0 3 * * 1-5",
            }
        ),
    )
    zone = forms.ChoiceField(label="Time zone", initial="UTC")
    when_busy = forms.ChoiceField(
        label="While its last run still works",
        choices=[(value, words.capitalize()) for value, words in Schedule.WhenBusy.choices],
        initial=Schedule.WhenBusy.SKIP,
    )
    field_order = ("name", "agent", "goal", "every", "at", "cron", "zone", "when_busy")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["zone"]
        zone.choices = [(name, name) for name in cron.zones()]  # type: ignore[attr-defined]
        if not self.is_bound and "zone" not in self.initial:
            zone.widget.attrs["data-own-zone"] = ""  # base.js knows the reader's

    def initial_of(self, item: Calling) -> dict[str, Any]:
        """Return what the form shows of a schedule; its time as the expression that it is kept as."""
        assert isinstance(item, Schedule)  # noqa: S101
        when = {"every": "cron", "cron": item.cron, "zone": item.zone, "when_busy": item.when_busy}
        return super().initial_of(item) | when

    def said(self) -> dict[str, Any]:
        """Return what was typed; its time as the expression that it is kept as."""
        said = super().said() | {"cron": self.to_when().cron}
        return {name: value for name, value in said.items() if name not in ("every", "at")}

    def to_when(self) -> When:
        """Return the time as the service takes it."""
        data = self.cleaned_data
        at = data["at"]
        hour, minute = (at.hour, at.minute) if at is not None else (0, 0)
        written = EVERY[data["every"]][1].format(hour=hour, minute=minute) or data["cron"]
        return When(cron=written, zone=data["zone"], when_busy=data["when_busy"])


class WebhookForm(CallingForm):
    """An agent that programs call."""

    proof = forms.ChoiceField(
        label="Callers send",
        choices=[(value, words[:1].upper() + words[1:]) for value, words in Webhook.Proof.choices],
    )
    event_names = forms.CharField(
        label="Only these events",
        max_length=300,
        required=False,
        help_text="Values of X-GitHub-Event, such as push issues. Left empty: all but ping.",
    )
    field_order = ("name", "agent", "goal", "proof", "event_names")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["goal"].help_text = (
            "Name fields of what is sent in double braces, such as {{ issue.title }}. The agent gets them below your words, as "
            "quoted data from outside that it must not take orders from."
        )

    def initial_of(self, item: Calling) -> dict[str, Any]:
        """Return what the form shows of a webhook."""
        assert isinstance(item, Webhook)  # noqa: S101
        return super().initial_of(item) | {"proof": item.proof, "event_names": item.event_names}

    def to_terms(self) -> Terms:
        """Return the terms as the service takes them."""
        return Terms(proof=self.cleaned_data["proof"], event_names=self.cleaned_data["event_names"])


class GoalForm(CallingForm):
    """Rounds of an agent until a check says that the goal is reached."""

    command = forms.CharField(
        label="Command that must succeed",
        max_length=limits.COMMAND_CHARS,
        required=False,
        help_text="Run in the sandbox on what is proposed, such as python3 -m pytest -q. Left empty: only the auditor judges.",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocapitalize": "off"}),
    )
    criteria = forms.CharField(
        label="What the auditor judges by",
        max_length=limits.CRITERIA_CHARS,
        required=False,
        help_text="Read by @auditor after each round, on the same model. Left empty: only the command counts.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    max_rounds = forms.IntegerField(
        label="Rounds in all", min_value=1, max_value=limits.MAX_ROUNDS, initial=5
    )
    max_tokens = forms.IntegerField(
        label="Tokens in all", min_value=1, max_value=limits.MAX_TOKENS, required=False, initial=2_000_000
    )
    max_cost_usd = forms.FloatField(
        label="Dollars in all",
        min_value=0.01,
        max_value=limits.MAX_COST_USD,
        required=False,
        help_text="Only with a model whose price is known.",
    )
    max_seconds = forms.IntegerField(
        label="Seconds in all",
        min_value=1,
        max_value=limits.MAX_SECONDS,
        initial=4 * 3600,
        help_text="From its start, waiting included.",
    )
    field_order = (
        "name",
        "agent",
        "goal",
        "command",
        "criteria",
        "max_rounds",
        "max_tokens",
        "max_cost_usd",
        "max_seconds",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        readers = limits.READERS
        choices = self.fields["agent"].choices  # type: ignore[attr-defined]
        self.fields["agent"].choices = [one for one in choices if one[0] not in readers]  # type: ignore[attr-defined]
        self.fields["goal"].label = "What is to be reached"

    def to_limits(self) -> Limits:
        """Return the check and the whole budget as the service takes them."""
        names = ("command", "criteria", "max_rounds", "max_tokens", "max_cost_usd", "max_seconds")
        return Limits(**{name: self.cleaned_data[name] for name in names})
