"""Addresses of the fleet pages."""

from __future__ import annotations

from django.urls import path

from webapp.fleet import views

RUN = "fleet/runs/<uuid:run_id>"
urlpatterns = [
    path("w/<int:workspace_id>/fleet/", views.workspace_fleet, name="workspace_fleet"),
    path("fleet/", views.fleet, name="fleet"),
    path("fleet/shares/", views.set_share, name="set_share"),
    *(
        path(f"{RUN}/{action}/", views.act, {"action": action}, name=f"fleet_{action}")
        for action in views.ACTIONS
    ),
]
