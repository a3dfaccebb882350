"""What changes who may hold a socket open: told to the sockets at once, through the news.

By signals, because sessions are ended by libraries and commands that know nothing of sockets. Memberships change in one
service, which tells the workspace itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from webapp.accounts.models import User
from webapp.events.publish import publish_to_person_on_commit


@dataclass(frozen=True, slots=True)
class AccessChanged:
    """Something about this person's sessions changed; open sockets are looked at again."""

    type: ClassVar[str] = "AccessChanged"
    user_id: int


@receiver(post_delete, sender=Session)
def _session_ended(instance: Session, **_: Any) -> None:
    user_id = instance.get_decoded().get(SESSION_KEY)
    if user_id is not None:
        publish_to_person_on_commit(int(user_id), AccessChanged(user_id=int(user_id)))


@receiver(post_save, sender=User)
def _person_saved(instance: User, created: bool, update_fields: frozenset[str] | None, **_: Any) -> None:
    if not created and (update_fields is None or {"password", "is_active"} & update_fields):
        publish_to_person_on_commit(instance.pk, AccessChanged(user_id=instance.pk))
