"""Audits: what a change did to the health of the code."""

from __future__ import annotations

from django.db import models


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
