"""Audits of commits, the health of the whole workspace, its limits, its trend, and long measurements."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.codehealth.figures import Entry
from webapp.packing import pack, unpack


class Audit(models.Model):
    """The measured effect of one commit (or of the files as they were saved) on a workspace."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="audits")
    commit = models.CharField(max_length=64, blank=True)
    cause = models.CharField(max_length=20)
    """landed, reverted, commit, import"""
    files = models.PositiveIntegerField(default=0)
    worst_complexity = models.PositiveIntegerField(null=True)
    mean_maintainability = models.FloatField(null=True)
    report = models.JSONField(default=dict)
    """Per file: functions that got worse or better, maintainability before and after, diagnoses."""
    duration_ms = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["workspace", "-id"])]


class FileFigures(models.Model):
    """Everything measured of one content, under a key of ending, blob and version of the figures: measured once."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=96)
    packed = models.BinaryField()
    """`figures.figures_of`, packed."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "key"], name="one_measurement_per_content")
        ]


class WorkspaceHealth(models.Model):
    """The health of a workspace's files as they stand in the shared checkout now, committed or not."""

    workspace = models.OneToOneField("workspaces.Workspace", on_delete=models.CASCADE, related_name="health")
    packed_entries = models.BinaryField(default=bytes)
    """Path to `Entry`."""
    measured_at = models.DateTimeField(auto_now=True)
    """When it was last seen to differ, or asked for."""
    duration_ms = models.PositiveIntegerField(default=0)
    """Of the last measurement of the whole."""

    @property
    def entries(self) -> dict[str, Entry]:
        """The files by path, in the order of their paths."""
        raw = unpack(self.packed_entries) if self.packed_entries else {}
        return {path: Entry(*values) for path, values in raw.items()}

    @entries.setter
    def entries(self, value: dict[str, Entry]) -> None:
        self.packed_entries = pack({path: value[path].to_list() for path in sorted(value)})


class TrendPoint(models.Model):
    """The health of the whole tree of one commit."""

    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="trend_points"
    )
    commit = models.CharField(max_length=64)
    committed_at = models.DateTimeField()
    subject = models.CharField(max_length=200, blank=True)
    files = models.PositiveIntegerField()
    lines = models.PositiveIntegerField()
    functions = models.PositiveIntegerField()
    complex_functions = models.PositiveIntegerField()
    maintainability = models.FloatField(null=True)
    cyclomatic = models.PositiveIntegerField(null=True)
    cognitive = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "commit"], name="one_trend_point_per_commit")
        ]


class Limits(models.Model):
    """What a workspace tolerates; None switches a limit off."""

    workspace = models.OneToOneField(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="health_limits"
    )
    max_cyclomatic = models.PositiveIntegerField(null=True)
    max_cognitive = models.PositiveIntegerField(null=True)
    min_maintainability = models.FloatField(null=True)
    no_worse = models.BooleanField(default=False)
    """No function that is there may get more complex, and no file that is below the limit less maintainable."""
    is_required = models.BooleanField(default=False)
    """Whether a change set that breaks a limit is refused when somebody applies it."""
    updated_at = models.DateTimeField(auto_now=True)


class Measurement(models.Model):
    """A measurement that takes long enough to show how far it is: the whole workspace, or the last commits' trees."""

    class Kind(models.TextChoices):
        WORKSPACE = "workspace", "Audit of all files"
        TREND = "trend", "Trend of past commits"

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "At work"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (State.QUEUED, State.RUNNING)

    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="health_measurements"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    commits = models.PositiveIntegerField(default=0)
    """For a trend: how many of the last commits."""
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    is_cancel_asked = models.BooleanField(default=False)
    note = models.CharField(max_length=500, blank=True)
    """Why it failed."""
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["workspace", "-id"])]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "kind"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_open_measurement_per_kind",
            )
        ]

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def percent(self) -> int:
        """How far it is, 0–100."""
        return min(100, self.done * 100 // self.total) if self.total else 0


class PatternRule(models.Model):
    """A pattern that this workspace does not want in its files, besides the built-in ones."""

    class Kind(models.TextChoices):
        CUSTOM = "custom", "Not wanted here"
        SECRET = "secret", "Secret: hidden from models"

    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="pattern_rules"
    )
    name = models.CharField(max_length=40)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CUSTOM)
    message = models.CharField(max_length=120)
    pattern = models.CharField(max_length=500)
    """A regular expression in Rust's dialect."""
    endings = models.JSONField(default=list)
    """File endings that it looks at; none for all."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="one_pattern_rule_per_name")
        ]
