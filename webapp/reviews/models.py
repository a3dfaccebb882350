"""Change sets that agents propose, and what people decide about each hunk.

Hunks themselves are not rows: they are git's, stored with the revision as data and named by a key that survives a rebase.
Rows hold what people add: decisions, comments, evidence, and the intent to land.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from webapp.packing import pack, unpack


class ChangeSet(models.Model):
    """What a run offers. Nothing of it touches a person's branch until it is applied."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        LANDING = "landing", "Being applied"
        LANDED = "landed", "Landed"
        DISCARDED = "discarded", "Discarded"
        REVERTED = "reverted", "Reverted"

    class Turn(models.TextChoices):
        REVIEWER = "reviewer", "Reviewer"
        AGENT = "agent", "Agent"

    class Risk(models.TextChoices):
        LOW = "low", "Low risk"
        MEDIUM = "medium", "Medium risk"
        HIGH = "high", "High risk"

    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="change_sets"
    )
    run = models.OneToOneField(
        "agents.Run", null=True, on_delete=models.SET_NULL, related_name="proposed_change_set"
    )
    agent = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    summary = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    turn = models.CharField(max_length=10, choices=Turn, default=Turn.REVIEWER)
    target_branch = models.CharField(max_length=200)
    landed_commit = models.CharField(max_length=64, blank=True)
    landed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    landed_at = models.DateTimeField(null=True)
    reverted_commit = models.CharField(max_length=64, blank=True)
    # Of the newest revision, so that a list never reads a diff.
    file_count = models.PositiveIntegerField(default=0)
    hunk_count = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    deleted = models.PositiveIntegerField(default=0)
    risk = models.CharField(max_length=10, choices=Risk, default=Risk.LOW)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["workspace", "-id"]),
            models.Index(fields=["workspace", "status", "-id"]),
        ]

    def __str__(self) -> str:
        return self.title


class Revision(models.Model):
    """One state of a change set: a commit on `refs/agent/<change set>/<number>` and its diff against the base."""

    class Origin(models.TextChoices):
        AGENT = "agent", "Written by the agent"
        REBASE = "rebase", "Carried over to a newer base"

    change_set = models.ForeignKey(ChangeSet, on_delete=models.CASCADE, related_name="revisions")
    run = models.ForeignKey("agents.Run", null=True, on_delete=models.SET_NULL, related_name="+")
    number = models.PositiveIntegerField()
    base_commit = models.CharField(max_length=64)
    commit = models.CharField(max_length=64)
    diff_hash = models.CharField(max_length=64)
    """Binds an approval to base and diff: what is applied is what was seen."""
    tree = models.CharField(max_length=64, blank=True)
    """The tree of `commit`: evidence counts when it was gathered on exactly this."""
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.AGENT)
    packed_files = models.BinaryField(default=bytes)
    """FileDiff.to_dict() of every file, with hunks and their keys; see `packing`."""
    packed_risks = models.BinaryField(default=bytes)
    """Risk strip per hunk key."""
    packed_conflicts = models.BinaryField(default=bytes)
    """Hunks of the revision before that found no place in this one's base: reason and Hunk.to_dict()."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["change_set", "number"], name="one_revision_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.change_set_id}/{self.number}"

    @property
    def files(self) -> list[dict[str, Any]]:
        """The file diffs as plain data."""
        return unpack(self.packed_files) if self.packed_files else []

    @files.setter
    def files(self, value: list[dict[str, Any]]) -> None:
        self.packed_files = pack(value)

    @property
    def risks(self) -> dict[str, Any]:
        """The risk strips by hunk key."""
        return unpack(self.packed_risks) if self.packed_risks else {}

    @risks.setter
    def risks(self, value: dict[str, Any]) -> None:
        self.packed_risks = pack(value)

    @property
    def conflicts(self) -> list[dict[str, Any]]:
        """What could not be carried over to this revision's base."""
        return unpack(self.packed_conflicts) if self.packed_conflicts else []

    @conflicts.setter
    def conflicts(self, value: list[dict[str, Any]]) -> None:
        self.packed_conflicts = pack(value) if value else b""


class Decision(models.Model):
    """What was decided about one hunk. The newest row that was not undone counts; rows are kept so that undo works."""

    class Verdict(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"
        EDITED = "edited", "Accepted with an edit"
        SPLIT = "split", "Split"
        PENDING = "pending", "Undecided again"

    change_set = models.ForeignKey(ChangeSet, on_delete=models.CASCADE, related_name="decisions")
    hunk_key = models.CharField(max_length=64)
    verdict = models.CharField(max_length=10, choices=Verdict)
    edited_new_lines = models.JSONField(null=True)
    edited_around = models.JSONField(null=True)
    """The unchanged lines before and after the change when it was edited; see `workers.changes.edits`."""
    split_after = models.JSONField(null=True)
    """Lines of the hunk after which it was cut, counted from its first changed line, so that context may come and go."""
    reason = models.CharField(max_length=500, blank=True)
    batch = models.CharField(max_length=32)
    """Decisions made by one act (a whole file at once) are undone together."""
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["change_set", "hunk_key", "id"])]

    def __str__(self) -> str:
        return f"{self.verdict} {self.hunk_key}"


class ReviewComment(models.Model):
    """A remark on a line of a change set, or on the whole of it (empty path)."""

    class Kind(models.TextChoices):
        MUST_FIX = "must-fix", "Must fix"
        QUESTION = "question", "Question"
        NOTE = "note", "Note"

    change_set = models.ForeignKey(ChangeSet, on_delete=models.CASCADE, related_name="comments")
    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="comments")
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="replies")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    agent = models.CharField(max_length=40, blank=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.NOTE)
    path = models.CharField(max_length=1024, blank=True)
    hunk_key = models.CharField(max_length=64, blank=True)
    side = models.CharField(max_length=3, default="new")
    line = models.PositiveIntegerField(null=True)
    code = models.TextField(blank=True)
    """The line as it stood when the remark was made."""
    text = models.TextField()
    html = models.TextField()
    is_sent = models.BooleanField(default=False)
    """Whether the agent has been given it."""
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.path}:{self.line}"


class Evidence(models.Model):
    """A command really run on exactly one tree: of a change set, or of a workspace before anything was proposed."""

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        LOST = "lost", "No result"

    revision = models.ForeignKey(Revision, null=True, on_delete=models.CASCADE, related_name="evidence")
    workspace = models.ForeignKey(
        "workspaces.Workspace", null=True, on_delete=models.CASCADE, related_name="+"
    )
    """Whose files it ran on, where they are no revision's."""
    tree = models.CharField(max_length=64)
    subset = models.JSONField(null=True)
    """Keys of the hunks that were applied when it ran; null for the whole revision."""
    selection = models.CharField(max_length=64, blank=True)
    """Fingerprint of that choice with its edits: when the choice has changed since, the result is stale."""
    command = models.TextField()
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    note = models.CharField(max_length=300, blank=True)
    """Why there is no exit code: time, memory, a signal."""
    exit_code = models.IntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    output = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    heard_at = models.DateTimeField(auto_now=True)
    """Last sign of life from whoever runs it, or when it was last rung for."""
    begun_at = models.DateTimeField(null=True)
    losses = models.PositiveSmallIntegerField(default=0)
    """How often its worker was lost."""

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(revision=None) ^ models.Q(workspace=None), name="evidence_has_one_place"
            )
        ]

    def __str__(self) -> str:
        return self.command

    @property
    def reviewed(self) -> Revision:
        """The revision whose review shows it; what ran on a commit is in no review."""
        assert self.revision is not None  # noqa: S101 - found by its change set
        return self.revision


class LandingIntent(models.Model):
    """Written before the first file changes, so that a crash in between is finished or rolled back at start-up."""

    change_set = models.ForeignKey(ChangeSet, on_delete=models.CASCADE, related_name="landings")
    prepared = models.JSONField()
    is_revert = models.BooleanField(default=False)
    intended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    outcome = models.CharField(max_length=12, blank=True)
    finished_at = models.DateTimeField(null=True)
    audited_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["finished_at"])]

    def __str__(self) -> str:
        return f"{self.change_set_id} {self.outcome or 'open'}"


class SeenRevision(models.Model):
    """The revision a person looked at last, for "what changed since"."""

    change_set = models.ForeignKey(ChangeSet, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["change_set", "user"], name="one_seen_revision_per_person")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} saw {self.change_set_id}/{self.number}"
