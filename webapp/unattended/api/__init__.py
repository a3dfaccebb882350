"""Unattended work over REST."""

from __future__ import annotations

from ninja import Router

from webapp.unattended.api import schedules

router = Router(tags=["unattended"])
router.add_router("", schedules.router)
