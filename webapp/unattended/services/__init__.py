"""Writes about unattended work."""

from webapp.unattended.services.firing import fire_due, start_now, start_waiting
from webapp.unattended.services.schedules import (
    When,
    change_schedule,
    create_schedule,
    delete_schedule,
    switch_schedule,
)

__all__ = [
    "When",
    "change_schedule",
    "create_schedule",
    "delete_schedule",
    "fire_due",
    "start_now",
    "start_waiting",
    "switch_schedule",
]
