"""Runs, the steps of their reasoning trees, and the models that people chose."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class ModelProfile(models.Model):
    """A model somebody may run agents on: of one person, of one workspace, or of the installation (both null)."""

    class Provider(models.TextChoices):
        EMBEDDED = "embedded", "Embedded (SmolLM2-135M)"
        OPENAI = "openai", "OpenAI-compatible"
        RESPONSES = "responses", "OpenAI Responses"
        ANTHROPIC = "anthropic", "Anthropic"
        OLLAMA = "ollama", "Ollama"

    class ToolUse(models.TextChoices):
        AUTO = "auto", "Whatever the provider offers"
        TOOLS = "tools", "Native tool calls"
        JSON = "json", "JSON answers only (small models)"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="model_profiles",
    )
    workspace = models.ForeignKey(
        "workspaces.Workspace", null=True, blank=True, on_delete=models.CASCADE, related_name="model_profiles"
    )
    name = models.CharField(max_length=80)
    provider = models.CharField(max_length=12, choices=Provider)
    base_url = models.CharField(max_length=500, blank=True)
    is_of_operator = models.BooleanField(default=False)
    """Whether the installation's owner saved it last, who may have it lead to this machine or its private network."""
    model = models.CharField(max_length=120, blank=True)
    context_tokens = models.PositiveIntegerField(null=True, blank=True)
    input_usd_per_mtok = models.FloatField(null=True, blank=True)
    output_usd_per_mtok = models.FloatField(null=True, blank=True)
    first_token_s = models.PositiveIntegerField(null=True, blank=True)
    """How long it may be silent before its first token and, below, between two; null means what is usual for the provider."""
    between_tokens_s = models.PositiveIntegerField(null=True, blank=True)
    tool_use = models.CharField(max_length=5, choices=ToolUse, default=ToolUse.AUTO)
    has_vision = models.BooleanField(null=True, blank=True)
    """Whether it sees images; null means as its name tells."""
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    """What its key may be used for by all workers together, and below; null means that nobody told."""
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True)
    max_concurrency = models.PositiveIntegerField(null=True, blank=True)
    sealed_key = models.BinaryField(null=True)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-is_default", "name"]
        constraints = [
            models.CheckConstraint(condition=Q(user=None) | Q(workspace=None), name="profile_has_one_owner"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_key(self) -> bool:
        """Whether a key is stored; the key itself is never shown."""
        return bool(self.sealed_key)


class AgentRoute(models.Model):
    """A place in the list of models that an agent of a workspace runs on: the next is asked when one before it fails."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    agent = models.CharField(max_length=40, blank=True)
    """Empty for every agent without a list of its own."""
    profile = models.ForeignKey(ModelProfile, on_delete=models.CASCADE, related_name="+")
    place = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["agent", "place"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "agent", "profile"], name="one_place_per_model"),
        ]

    def __str__(self) -> str:
        return f"@{self.agent or 'any'} {self.place}: {self.profile_id}"


class ModelPrice(models.Model):
    """What a workspace says that a model costs, where a profile has no price of its own."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    model = models.CharField(max_length=120)
    input_usd_per_mtok = models.FloatField()
    output_usd_per_mtok = models.FloatField()
    cached_input_usd_per_mtok = models.FloatField(null=True, blank=True)
    cache_write_usd_per_mtok = models.FloatField(null=True, blank=True)
    source = models.CharField(max_length=300, blank=True)
    as_of = models.DateField()

    class Meta:
        ordering = ["model"]
        constraints = [models.UniqueConstraint(fields=["workspace", "model"], name="one_price_per_model")]

    def __str__(self) -> str:
        return f"{self.model} in {self.workspace_id}"


class SpendLimit(models.Model):
    """What a workspace, or one person in it, may spend a day and a month (UTC); null means without limit."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    """Null for all together."""
    day_usd = models.FloatField(null=True)
    month_usd = models.FloatField(null=True)
    day_tokens = models.PositiveBigIntegerField(null=True)
    month_tokens = models.PositiveBigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="one_limit_per_person"),
            models.UniqueConstraint(fields=["workspace"], condition=Q(user=None), name="one_limit_for_all"),
        ]

    def __str__(self) -> str:
        return f"limits of {self.user_id or 'all'} in {self.workspace_id}"


class DailySpend(models.Model):
    """What model calls of a workspace cost on one day (UTC), by who called which agent on which model."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    agent = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    calls = models.PositiveIntegerField(default=0)
    unpriced_calls = models.PositiveIntegerField(default=0)
    """Calls of which nobody knows the price: what they cost is not in `cost_usd`."""
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_usd = models.FloatField(default=0.0)

    class Meta:
        indexes = [models.Index(fields=["workspace", "day"], name="spend_by_day")]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "day", "agent", "model", "user"], name="one_sum_per_day"
            ),
            models.UniqueConstraint(
                fields=["workspace", "day", "agent", "model"],
                condition=Q(user=None),
                name="one_sum_per_day_of_nobody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.day} @{self.agent} {self.model}"


class DefaultBudget(models.Model):
    """Where a workspace's runs stop, as its maintainers set it; null means without limit."""

    workspace = models.OneToOneField(
        "workspaces.Workspace", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    steps = models.PositiveIntegerField()
    tokens = models.PositiveIntegerField(null=True)
    seconds = models.PositiveIntegerField()
    cost_usd = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"budget of {self.workspace_id}"


class AgentDefinition(models.Model):
    """An agent that people defined. Its name answers in one workspace, or everywhere when it has none."""

    class Visibility(models.TextChoices):
        PRIVATE = "private", "Only me"
        WORKSPACE = "workspace", "Everybody in this workspace"
        INSTALLATION = "installation", "Everybody on this installation"

    workspace = models.ForeignKey(
        "workspaces.Workspace", null=True, on_delete=models.CASCADE, related_name="agent_definitions"
    )
    """Null for an agent of the installation."""
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="agent_definitions"
    )
    name = models.CharField(max_length=32)
    visibility = models.CharField(max_length=12, choices=Visibility, default=Visibility.WORKSPACE)
    is_archived = models.BooleanField(default=False)
    current = models.ForeignKey("AgentVersion", null=True, on_delete=models.SET_NULL, related_name="+")
    """The version that answers when it is called."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=Q(is_archived=False), name="one_agent_per_name"
            ),
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(is_archived=False, workspace=None),
                name="one_installation_agent_per_name",
            ),
            models.CheckConstraint(
                condition=Q(workspace=None, visibility="installation")
                | (Q(workspace__isnull=False) & ~Q(visibility="installation")),
                name="installation_agents_have_no_workspace",
            ),
        ]

    def __str__(self) -> str:
        return f"@{self.name}"


class AgentVersion(models.Model):
    """What an agent was told to be at one time. Never changed: an edit is a new version, and so is going back."""

    definition = models.ForeignKey(AgentDefinition, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    description = models.CharField(max_length=200)
    instructions = models.TextField()
    tools = models.JSONField(default=list)
    model_profile = models.ForeignKey(ModelProfile, null=True, on_delete=models.SET_NULL, related_name="+")
    budget = models.JSONField(null=True)
    """Where its runs stop, as workers.queue.Budget has it; null for the workspace's default."""
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["definition", "number"], name="one_version_per_number")
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class Run(models.Model):
    """One agent at work. This row is the truth about it; the broker is only a doorbell."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        CANCELLING = "cancelling", "Stopping"
        SUSPENDING = "suspending", "Suspending"
        SUSPENDED = "suspended", "Suspended"
        FINISHED = "finished", "Finished"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        DEAD = "dead", "Given up"

    FINAL = (Status.FINISHED, Status.FAILED, Status.CANCELLED, Status.DEAD)

    class Origin(models.TextChoices):
        PERSON = "person", "A person"
        DELEGATION = "delegation", "Another agent"
        SCHEDULE = "schedule", "A schedule"
        WEBHOOK = "webhook", "A webhook"
        GOAL = "goal", "A goal"

    class SuspendReason(models.TextChoices):
        PREEMPTED = "preempted", "Something more urgent took its place"
        PERSON = "person", "A person suspended it"
        CHILDREN = "children", "It waits for agents that it called"
        APPROVAL = "approval", "It waits for a person's approval"
        LIMIT = "limit", "It waits for its provider's rate limit"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="runs")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    agent = models.CharField(max_length=40)
    agent_version = models.ForeignKey(AgentVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    """The version that ran, of an agent that people defined."""
    goal = models.TextField()
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    priority = models.CharField(max_length=10, default="standard")
    retry_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="retries")
    change_set = models.ForeignKey(
        "reviews.ChangeSet", null=True, on_delete=models.SET_NULL, related_name="answering_runs"
    )
    """Set when the run answers review comments: its result is a new revision of this change set."""
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.PERSON)
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="children")
    """The run that delegated this one, from its step `parent_step`."""
    parent_step = models.CharField(max_length=40, blank=True)
    lineage = models.JSONField(default=dict)
    """The run's CascadeContext as a dict; empty for a run that a person asked for."""
    needs = models.JSONField(default=dict)
    suspend_reason = models.CharField(max_length=10, choices=SuspendReason, blank=True)
    waits_for = models.JSONField(default=list)
    """Steps whose ends a suspended run waits for."""
    waits_any = models.BooleanField(default=False)
    """Whether it goes on when one of them has ended, not all."""
    suspended_at = models.DateTimeField(null=True)
    suspensions = models.PositiveIntegerField(default=0)
    """How often it gave its slot up in good order; such an attempt is no lost one."""
    base_commit = models.CharField(max_length=64, blank=True)
    model_profile = models.ForeignKey(ModelProfile, null=True, on_delete=models.SET_NULL, related_name="+")
    model_choice = models.JSONField(default=dict)
    model_label = models.CharField(max_length=200, blank=True)
    job = models.JSONField(default=dict)
    """The Job as first submitted, without history; enqueuing again adds the finished steps."""
    budget = models.JSONField(default=dict)
    fence = models.PositiveIntegerField(default=1)
    attempts = models.PositiveIntegerField(default=1)
    last_seq = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    """When the broker was last told; a queued run that nobody took is rung for again."""
    answer = models.TextField(blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)
    is_retryable = models.BooleanField(default=False)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.FloatField(null=True)
    """None while the price of any call is unknown."""
    tokens_per_s = models.FloatField(default=0.0)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["workspace", "-created_at"]),
            models.Index(fields=["workspace", "status", "-created_at"], name="runs_by_status"),
            models.Index(fields=["workspace", "agent", "-created_at"], name="runs_by_agent"),
            models.Index(fields=["workspace", "requested_by", "-created_at"], name="runs_by_person"),
            models.Index(
                fields=["workspace", "-created_at"], name="runs_at_work", condition=Q(finished_at=None)
            ),
            models.Index(fields=["status", "lease_expires_at"]),
        ]

    def __str__(self) -> str:
        return f"@{self.agent} {self.id}"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen in this run."""
        return self.status in self.FINAL

    @property
    def waits_for_others(self) -> bool:
        """Whether it is suspended until something else has happened, so that nobody need resume it."""
        waits = (self.SuspendReason.CHILDREN, self.SuspendReason.APPROVAL)
        return self.status == self.Status.SUSPENDED and self.suspend_reason in waits


class Dismissal(models.Model):
    """A person has looked at a run that was given up, and wants to be told of it no more."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="dismissal")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"dismissed: {self.run_id}"


class Step(models.Model):
    """A node of a run's reasoning tree."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    step_id = models.CharField(max_length=40)
    parent_id = models.CharField(max_length=40, blank=True)
    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=300)
    status = models.CharField(max_length=10, default="running")
    detail = models.JSONField(default=dict)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.FloatField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    started_at = models.DateTimeField()
    seq = models.PositiveIntegerField()

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["run", "step_id"], name="one_step_per_id")]

    def __str__(self) -> str:
        return self.title


class SteeringNote(models.Model):
    """What a person told a run while it was at work: for the run as a whole, or for one node of its tree."""

    class Kind(models.TextChoices):
        MESSAGE = "message", "said"
        ANSWER = "answer", "answered"
        REDIRECT = "redirect", "redirected"
        STOP_STEP = "stop_step", "stopped the step"
        APPROVE = "approve", "approved"
        DENY = "deny", "denied"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steering")
    step_id = models.CharField(max_length=40, blank=True)
    kind = models.CharField(max_length=10, choices=Kind)
    text = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    taken_at = models.DateTimeField(null=True)
    """When the agent took it up; until then each attempt is handed it."""

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.text[:60]}"


from webapp.agents.policies.models import Approval, PolicyVersion  # noqa: E402 - Django looks for rows here

__all__ = ["Approval", "DefaultBudget", "ModelProfile", "PolicyVersion", "Run", "SteeringNote", "Step"]
