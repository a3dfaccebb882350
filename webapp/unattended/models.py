"""Work that starts without a person at the keyboard: who answers for it, when it begins, and what became of it.

Every one of these calls an agent with the rights of its owner, and ends in a review like a person's call.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.db import models

from webapp.seen import digest_of


def new_public_id() -> str:
    """Return 256 random bits for an address."""
    return secrets.token_urlsafe(32)


class Calling(models.Model):
    """How an agent is called: which, on what model, within what budget, and where its card stands."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="%(class)ss")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    """Who answers for it: its runs are this person's. Whoever sets it going anew becomes the owner."""
    api_key = models.ForeignKey("accounts.ApiKey", null=True, on_delete=models.SET_NULL, related_name="+")
    """The key with which its owner set it going, and with whose end it stops; null for one that a person set going at a page."""
    name = models.CharField(max_length=80)
    agent = models.CharField(max_length=40)
    goal = models.TextField(blank=True)
    profile_id = models.BigIntegerField(null=True)
    """The model profile that was chosen; a plain number, so that a deleted model is refused and not replaced in silence."""
    budget = models.JSONField(default=dict)
    """Where each run stops; empty for the workspace's default."""
    priority = models.CharField(max_length=10, default="standard")
    channel = models.ForeignKey("chat.Channel", null=True, on_delete=models.SET_NULL, related_name="+")
    topic = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> str:
        """`schedule`, `webhook` or `goal`."""
        return type(self).__name__.lower()

    @property
    def described(self) -> dict[str, Any]:
        """What people say about it, JSON-safe, by the names of the form's fields."""
        names = ("name", "agent", "goal", "profile_id", "budget", "priority", "channel_id", "topic")
        return {name: getattr(self, name) for name in names}

    @property
    def seen(self) -> str:
        """What its description is known by, to see whether it is still the one that somebody read."""
        return digest_of(self.described)


class Switched(Calling):
    """A calling that people switch on and off."""

    is_enabled = models.BooleanField(default=True)
    stop_note = models.CharField(max_length=300, blank=True)
    """Why it was switched off by itself."""

    class Meta:
        abstract = True


class Schedule(Switched):
    """An agent that is called again and again."""

    class WhenBusy(models.TextChoices):
        SKIP = "skip", "leave the new one out"
        QUEUE = "queue", "start the new one when the last has ended"

    cron = models.CharField(max_length=100)
    zone = models.CharField(max_length=60, default="UTC")
    when_busy = models.CharField(max_length=5, choices=WhenBusy, default=WhenBusy.SKIP)
    next_at = models.DateTimeField(null=True)
    """The next due moment; null while it is switched off."""

    class Meta:
        ordering = ["name", "pk"]
        indexes = [models.Index(fields=["is_enabled", "next_at"])]

    @property
    def described(self) -> dict[str, Any]:
        """As every calling, and when it is due."""
        return super().described | {"cron": self.cron, "zone": self.zone, "when_busy": self.when_busy}


class Firing(models.Model):
    """A due moment of a schedule, and what came of it. One row a moment, so that no moment starts two runs."""

    class Outcome(models.TextChoices):
        STARTED = "started", "Started"
        WAITING = "waiting", "Waits for the run before"
        SKIPPED = "skipped", "Left out"
        FAILED = "failed", "Not started"

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="firings")
    moment = models.DateTimeField()
    outcome = models.CharField(max_length=8, choices=Outcome)
    note = models.CharField(max_length=300, blank=True)
    missed = models.PositiveIntegerField(default=0)
    """Moments before this one that passed while nobody could start them; they are not made up."""
    run = models.ForeignKey("agents.Run", null=True, on_delete=models.SET_NULL, related_name="+")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    """Who started it by hand; null for a due moment."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-moment", "-pk"]
        constraints = [models.UniqueConstraint(fields=["schedule", "moment"], name="one_firing_per_moment")]
        indexes = [
            models.Index(fields=["schedule"], condition=models.Q(outcome="waiting"), name="waiting_firings")
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.moment:%Y-%m-%d %H:%M} {self.outcome}"


class Webhook(Switched):
    """An address that programs call, and the agent that is called then; `goal` is a template with fields of what was sent."""

    class Proof(models.TextChoices):
        SIGNATURE = "signature", "a signature of the body (HMAC-SHA256, as GitHub signs)"
        BEARER = "bearer", "the secret itself (Authorization: Bearer …)"

    public_id = models.CharField(max_length=43, unique=True, default=new_public_id)
    """256 random bits, in the address."""
    sealed_secret = models.BinaryField()
    """Encrypted and not hashed: a signature can only be checked with the secret itself."""
    proof = models.CharField(max_length=9, choices=Proof, default=Proof.SIGNATURE)
    event_names = models.CharField(max_length=300, blank=True)
    """Values of X-GitHub-Event that start a run, apart by spaces; empty for all but `ping`."""

    class Meta:
        ordering = ["name", "pk"]

    @property
    def described(self) -> dict[str, Any]:
        """As every calling, and which calls it takes."""
        return super().described | {"proof": self.proof, "event_names": self.event_names}


class Delivery(models.Model):
    """A call of a webhook that proved itself. What was sent is not kept; what the run was told stands in its goal."""

    class Outcome(models.TextChoices):
        STARTED = "started", "Started"
        IGNORED = "ignored", "Of another kind"
        FAILED = "failed", "Not started"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    delivery_id = models.CharField(max_length=100, blank=True)
    """As the sender names it (X-GitHub-Delivery, Webhook-Id); empty when it does not."""
    digest = models.CharField(max_length=64, blank=True)
    """SHA-256 of what was signed: the same is not taken twice, under whatever name. Empty with a bearer secret."""
    event = models.CharField(max_length=100, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome)
    note = models.CharField(max_length=300, blank=True)
    size_bytes = models.PositiveIntegerField()
    repeats = models.PositiveIntegerField(default=0)
    """How often it was sent again."""
    run = models.ForeignKey("agents.Run", null=True, on_delete=models.SET_NULL, related_name="+")
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["webhook", "delivery_id"],
                condition=~models.Q(delivery_id=""),
                name="one_delivery_per_id",
            ),
            models.UniqueConstraint(
                fields=["webhook", "digest"],
                condition=~models.Q(digest=""),
                name="one_delivery_per_signed_body",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.webhook_id} {self.delivery_id or self.digest} {self.outcome}"


class Goal(Calling):
    """Rounds of an agent until a check says that the goal is reached, or its total budget is used up. `budget` is a round's."""

    class State(models.TextChoices):
        WORKING = "working", "At work"
        REACHED = "reached", "Reached"
        OUT_OF_BUDGET = "budget", "Out of budget"
        STUCK = "stuck", "Stuck"
        STOPPED = "stopped", "Stopped"
        FAILED = "failed", "Failed"

    command = models.TextField(blank=True)
    """Must succeed in the sandbox on what is proposed; empty for none. Judged before the criteria."""
    criteria = models.TextField(blank=True)
    """What @auditor judges by; empty for none."""
    max_rounds = models.PositiveIntegerField()
    max_tokens = models.PositiveBigIntegerField(null=True)
    max_cost_usd = models.FloatField(null=True)
    max_seconds = models.PositiveIntegerField()
    """From its start, waiting included."""
    state = models.CharField(max_length=8, choices=State, default=State.WORKING)
    note = models.TextField(blank=True)
    """How it ended, in words."""
    change_set = models.ForeignKey(
        "reviews.ChangeSet", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    """What the rounds build on, a revision each; it waits for people like any other."""
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state"], condition=models.Q(state="working"), name="goals_at_work")]

    @property
    def is_ended(self) -> bool:
        """Whether no further round begins."""
        return self.state != self.State.WORKING


class Round(models.Model):
    """One try at a goal: the agent's run, then the check."""

    class Stage(models.TextChoices):
        WORK = "work", "The agent works"
        COMMAND = "command", "The command runs"
        AUDIT = "audit", "The auditor judges"
        DONE = "done", "Judged"

    goal = models.ForeignKey(Goal, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    stage = models.CharField(max_length=7, choices=Stage, default=Stage.WORK)
    run = models.ForeignKey("agents.Run", null=True, on_delete=models.SET_NULL, related_name="+")
    revision = models.ForeignKey("reviews.Revision", null=True, on_delete=models.SET_NULL, related_name="+")
    """What is proposed after this round."""
    is_changed = models.BooleanField(default=False)
    """Whether the round left other files than the one before it."""
    evidence = models.ForeignKey("reviews.Evidence", null=True, on_delete=models.SET_NULL, related_name="+")
    audit = models.ForeignKey("agents.Run", null=True, on_delete=models.SET_NULL, related_name="+")
    audits = models.PositiveSmallIntegerField(default=0)
    """How often the auditor was asked; a model may fail."""
    is_reached = models.BooleanField(null=True)
    words = models.TextField(blank=True)
    """What the check said; the next round is told it."""
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["goal", "number"], name="one_round_per_number")]

    def __str__(self) -> str:
        return f"{self.goal_id}/{self.number}"


class Act(models.Model):
    """Who made, changed, switched or ended unattended work. Rows are never changed, and outlive what they tell of."""

    class Verb(models.TextChoices):
        MADE = "made", "made it"
        CHANGED = "changed", "changed it"
        ENABLED = "enabled", "switched it on"
        DISABLED = "disabled", "switched it off"
        STARTED = "started", "started it by hand"
        STOPPED = "stopped", "stopped it"
        ENDED = "ended", "ended it"
        RENEWED = "renewed", "made a new secret"
        DELETED = "deleted", "deleted it"

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10)
    item_id = models.BigIntegerField()
    name = models.CharField(max_length=80)
    verb = models.CharField(max_length=10, choices=Verb)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    """Null for what PyAgent did by itself; the note says why."""
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["workspace", "kind", "item_id", "-id"])]

    def __str__(self) -> str:
        return f"{self.by or 'PyAgent'} {self.get_verb_display()}: {self.name}"
