"""Writes about unattended work."""

from webapp.unattended.services.firing import fire_due, start_now, start_waiting
from webapp.unattended.services.goals import Limits, delete_goal, set_goal, stop_goal
from webapp.unattended.services.rounds import advance_goals
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
    "Limits",
    "Terms",
    "When",
    "advance_goals",
    "change_schedule",
    "change_webhook",
    "create_schedule",
    "create_webhook",
    "delete_goal",
    "delete_schedule",
    "delete_webhook",
    "fire_due",
    "renew_secret",
    "set_goal",
    "start_now",
    "start_waiting",
    "stop_goal",
    "switch_schedule",
    "switch_webhook",
]
