"""How much of the fleet each workspace gets."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Share(models.Model):
    """A workspace's weight beside the others inside one priority; a workspace without a row has weight 1."""

    workspace = models.OneToOneField(
        "workspaces.Workspace", on_delete=models.CASCADE, primary_key=True, related_name="fleet_share"
    )
    weight = models.FloatField()
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    set_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.workspace_id}: {self.weight}"
