"""A workspace's policy pack in its versions, and the calls that waited for a person's yes."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class PolicyVersion(models.Model):
    """The pack as a maintainer saved it. The newest counts; none means the pack that comes with PyAgent."""

    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="policy_versions"
    )
    number = models.PositiveIntegerField()
    """1, 2, 3 … in the workspace."""
    text = models.TextField()
    note = models.CharField(max_length=200, blank=True)
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    saved_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["workspace", "number"], name="one_policy_per_number")]

    def __str__(self) -> str:
        return f"policy {self.number} of {self.workspace_id}"


class Approval(models.Model):
    """A call that the policy asked people about, and what they said. It counts for exactly this call."""

    class Verdict(models.TextChoices):
        WAITING = "", "waits"
        APPROVED = "approve", "approved"
        DENIED = "deny", "denied"

    run = models.ForeignKey("agents.Run", on_delete=models.CASCADE, related_name="approvals")
    step_id = models.CharField(max_length=40)
    tool = models.CharField(max_length=100)
    arguments = models.JSONField(default=dict)
    call_hash = models.CharField(max_length=64)
    rule = models.CharField(max_length=200, blank=True)
    reason = models.TextField(blank=True)
    needs_maintainer = models.BooleanField(default=False)
    asked_at = models.DateTimeField(auto_now_add=True)
    verdict = models.CharField(max_length=10, choices=Verdict, blank=True, default="")
    text = models.TextField(blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    note = models.OneToOneField("agents.SteeringNote", null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["run", "step_id"], name="one_approval_per_step")]

    def __str__(self) -> str:
        return f"{self.tool} {self.verdict or 'waits'}"
