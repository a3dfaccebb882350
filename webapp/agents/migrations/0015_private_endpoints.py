"""Whose word it is that a model's name may lead to a private address."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import Q

from workers.providers.addresses import is_near


def mark_known(apps: Any, _schema_editor: Any) -> None:
    """Mark what the installation's owner must have saved: their own, what is for everybody, and private addresses outright."""
    profiles = apps.get_model("agents", "ModelProfile").objects
    profiles.filter(Q(user=None, workspace=None) | Q(user__is_installation_owner=True)).update(
        is_of_operator=True
    )
    for profile in profiles.filter(is_of_operator=False).exclude(workspace=None).exclude(base_url=""):
        if is_near(profile.base_url):
            profiles.filter(pk=profile.pk).update(is_of_operator=True)


class Migration(migrations.Migration):
    dependencies = [("agents", "0014_runs_at_work"), ("accounts", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="modelprofile",
            name="is_of_operator",
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(mark_known, migrations.RunPython.noop, elidable=True),
    ]
