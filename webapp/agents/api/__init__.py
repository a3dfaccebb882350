"""Agents, runs, models and policies over REST."""

from ninja import Router

from webapp.agents.api.controls import router as controls_router
from webapp.agents.api.definitions import router as definitions_router
from webapp.agents.api.models import router as models_router
from webapp.agents.api.routes import router as routes_router
from webapp.agents.api.runs import router as runs_router
from webapp.agents.api.spending import router as spending_router
from webapp.agents.api.steering import router as steering_router
from webapp.agents.policies.api import router as policies_router

router = Router()
router.add_router("", runs_router)
router.add_router("", controls_router)
router.add_router("", steering_router)
router.add_router("", models_router)
router.add_router("", definitions_router)
router.add_router("", routes_router)
router.add_router("", policies_router)
router.add_router("", spending_router)

__all__ = ["router"]
