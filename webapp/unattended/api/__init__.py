"""Unattended work over REST."""

from __future__ import annotations

from ninja import Router

from webapp.unattended.api import goals, schedules, webhooks

router = Router(tags=["unattended"])
router.add_router("", schedules.router)
router.add_router("", webhooks.router)
router.add_router("", goals.router)
