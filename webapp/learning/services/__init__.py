"""Writes about lessons."""

from webapp.learning.services.crediting import give_lessons, record_cycle, record_outcome
from webapp.learning.services.observing import observe, observe_event, withdraw
from webapp.learning.services.settling import has_learners, has_unsettled, settle_all
from webapp.learning.services.tending import (
    archive_faded,
    archive_lesson,
    delete_lesson,
    edit_lesson,
    pin_lesson,
    restore_lesson,
    write_lesson,
)

__all__ = [
    "archive_faded",
    "archive_lesson",
    "delete_lesson",
    "edit_lesson",
    "give_lessons",
    "has_learners",
    "has_unsettled",
    "observe",
    "observe_event",
    "pin_lesson",
    "record_cycle",
    "record_outcome",
    "restore_lesson",
    "settle_all",
    "withdraw",
    "write_lesson",
]
