"""Writes about unattended work."""

from webapp.unattended.services.firing import fire_due, start_now, start_waiting
from webapp.unattended.services.schedules import (
    When,
    change_schedule,
    create_schedule,
    delete_schedule,
    switch_schedule,
)
from webapp.unattended.services.webhooks import (
    Terms,
    change_webhook,
    create_webhook,
    delete_webhook,
    renew_secret,
    switch_webhook,
)

__all__ = [
    "Terms",
    "When",
    "change_schedule",
    "change_webhook",
    "create_schedule",
    "create_webhook",
    "delete_schedule",
    "delete_webhook",
    "fire_due",
    "renew_secret",
    "start_now",
    "start_waiting",
    "switch_schedule",
    "switch_webhook",
]
