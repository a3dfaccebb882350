"""Addresses of the pages and the API."""

from __future__ import annotations

from django.urls import include, path

from webapp.api import api

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("api/v1/", api.urls),
    path("", include("webapp.accounts.urls")),
    path("", include("webapp.workspaces.urls")),
    path("", include("webapp.codehealth.urls")),
    path("", include("webapp.learning.urls")),
    path("", include("webapp.chat.urls")),
    path("", include("webapp.agents.urls")),
    path("", include("webapp.reviews.urls")),
    path("", include("webapp.editor.urls")),
    path("", include("webapp.unattended.urls")),
    path("", include("webapp.fleet.urls")),
    path("", include("webapp.realtime.urls")),
]
handler404 = "webapp.pages.not_found"
handler500 = "webapp.pages.server_error"
