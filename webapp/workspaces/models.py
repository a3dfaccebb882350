"""Workspaces, who belongs to them, and the remotes their repositories know."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Role(models.TextChoices):
    """What a member may do; each includes the ones before it."""

    VIEWER = "viewer", "Viewer: reads and talks"
    MEMBER = "member", "Member: edits, calls agents, reviews"
    MAINTAINER = "maintainer", "Maintainer: applies, cancels any run, sets models"
    OWNER = "owner", "Owner: manages members and deletes"


class Workspace(models.Model):
    """A git repository with its people, channels, runs and reviews."""

    class State(models.TextChoices):
        PREPARING = "preparing", "Being prepared"
        READY = "ready", "Ready"
        FAILED = "failed", "Could not be prepared"

    name = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.PREPARING)
    state_note = models.CharField(max_length=500, blank=True)
    """Progress while preparing, the reason when it failed."""
    source_url = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's place in a workspace."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_per_person")
        ]


class Remote(models.Model):
    """A place to fetch from and push to, with its credential encrypted."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="remotes")
    name = models.SlugField(max_length=40, default="origin")
    url = models.CharField(max_length=500)
    username = models.CharField(max_length=120, blank=True)
    sealed_token = models.BinaryField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_remote_per_name")]
