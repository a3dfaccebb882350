"""Lessons, where they were learned, to whom they were given with what outcome, and how agents do."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.seen import digest_of
from workers.memory.pruning import Standing


class Lesson(models.Model):
    """A mistake that this workspace has learned from, once, however often and in whatever words it was seen."""

    class Source(models.TextChoices):
        REFLECTION = "reflection", "An agent's own reflection"
        TEST = "test", "Tests that an edit broke"
        HUNK = "hunk", "A rejected change"
        COMMENT = "comment", "A remark that asked for a fix"
        STEERING = "steering", "A person's word to a running agent"
        PERSON = "person", "Written by a person"

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="lessons")
    key = models.CharField(max_length=32)
    """`workers.learning.lesson.key_of` of its first words: the same mistake in the same words is never a second row."""
    pattern = models.CharField(max_length=300)
    cause = models.CharField(max_length=600, blank=True)
    solution = models.CharField(max_length=600, blank=True)
    source = models.CharField(max_length=10, choices=Source)
    hits = models.PositiveIntegerField(default=0)
    """How often the mistake was seen."""
    successes = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    last_cycle = models.PositiveIntegerField(default=0)
    is_pinned = models.BooleanField(default=False)
    archived_at = models.DateTimeField(null=True)
    is_embedded = models.BooleanField(default=False)
    """Whether the vectors are those of its words; until the relay has seen to that, it is given to nobody."""
    vector = models.BinaryField(default=bytes)
    """float32 [384] of `pattern`."""
    goal = models.CharField(max_length=1000, blank=True)
    """What the run was to do under which it was learned."""
    goal_vector = models.BinaryField(default=bytes)
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="one_lesson_per_mistake")]
        indexes = [
            models.Index(fields=["workspace", "archived_at", "-id"]),
            models.Index(fields=["id"], condition=models.Q(is_embedded=False), name="lessons_to_embed"),
        ]

    def __str__(self) -> str:
        return self.pattern

    @property
    def seen(self) -> str:
        """What its words are known by, to see whether they are still those that somebody read."""
        return digest_of({"pattern": self.pattern, "cause": self.cause, "solution": self.solution})

    @property
    def standing(self) -> Standing:
        """What its weight follows from."""
        return Standing(
            successes=self.successes,
            failures=self.failures,
            last_cycle=self.last_cycle,
            is_pinned=self.is_pinned,
        )


class LessonEvidence(models.Model):
    """One time that a mistake was seen. It waits without a lesson until the relay has found which one it belongs to."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    lesson = models.ForeignKey(Lesson, null=True, on_delete=models.CASCADE, related_name="evidence")
    origin = models.CharField(max_length=120)
    """What it comes from, such as `decision:17`: told twice, it is one."""
    source = models.CharField(max_length=10, choices=Lesson.Source)
    pattern = models.CharField(max_length=300)
    cause = models.CharField(max_length=600, blank=True)
    solution = models.CharField(max_length=600, blank=True)
    text = models.TextField(blank=True)
    """The end of a test's output, the rejected lines."""
    goal = models.CharField(max_length=1000, blank=True)
    run = models.ForeignKey("agents.Run", null=True, on_delete=models.SET_NULL, related_name="+")
    step_id = models.CharField(max_length=40, blank=True)
    change_set = models.ForeignKey(
        "reviews.ChangeSet", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    hunk_key = models.CharField(max_length=64, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "origin"], name="one_evidence_per_origin")
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(lesson=None), name="evidence_to_settle"),
        ]

    def __str__(self) -> str:
        return f"{self.source}: {self.pattern}"


class Outcome(models.TextChoices):
    """What became of a run, as far as it tells of what the run was told."""

    OPEN = "open", "Not known yet"
    HELPED = "helped", "Helped: the change was applied"
    FAILED = "failed", "Did not help: the change was put away"
    REPEATED = "repeated", "Did not help: the mistake was made again"


BAD = (Outcome.FAILED, Outcome.REPEATED)


class LessonUse(models.Model):
    """A lesson that a run was given."""

    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE, related_name="uses")
    run = models.ForeignKey("agents.Run", on_delete=models.CASCADE, related_name="+")
    similarity = models.FloatField()
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["lesson", "run"], name="one_use_per_lesson_and_run")]

    def __str__(self) -> str:
        return f"{self.lesson_id} in {self.run_id}: {self.outcome}"


class Cycle(models.Model):
    """A finished run, as learning counts time: its number among the workspace's finished runs."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField(null=True)
    """None while the run has not finished and only its outcome is known."""
    run_id = models.UUIDField(unique=True)
    agent = models.CharField(max_length=40)
    kind = models.CharField(max_length=10)
    """Kind of goal, `workers.learning.goals`."""
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.OPEN)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "number"], name="one_cycle_per_number")]

    def __str__(self) -> str:
        return f"{self.workspace_id}/{self.number}"


class AgentWeight(models.Model):
    """How an agent does at one kind of goal in one workspace."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    agent = models.CharField(max_length=40)
    kind = models.CharField(max_length=10)
    successes = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    last_cycle = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "agent", "kind"], name="one_weight_per_agent_and_kind"
            )
        ]

    def __str__(self) -> str:
        return f"@{self.agent} {self.kind}"

    @property
    def standing(self) -> Standing:
        """What its weight follows from."""
        return Standing(successes=self.successes, failures=self.failures, last_cycle=self.last_cycle)
