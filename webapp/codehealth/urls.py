"""Addresses of the health pages."""

from __future__ import annotations

from django.urls import path

from webapp.codehealth import views

_ROOT = "w/<int:workspace_id>/health/"

urlpatterns = [
    path(_ROOT, views.overview, name="workspace_health"),
    path(f"{_ROOT}file/", views.file, name="health_file"),
    path(f"{_ROOT}limits/", views.limits, name="health_limits"),
    path(f"{_ROOT}jobs/", views.jobs, name="health_jobs"),
    path(f"{_ROOT}jobs/start/", views.start, name="start_health_job"),
    path(f"{_ROOT}jobs/<int:job_id>/cancel/", views.cancel, name="cancel_health_job"),
]
