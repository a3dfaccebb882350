"""Addresses of the health pages."""

from __future__ import annotations

from django.urls import path

from webapp.codehealth import pattern_views, views

_ROOT = "w/<int:workspace_id>/health/"

urlpatterns = [
    path(_ROOT, views.overview, name="workspace_health"),
    path(f"{_ROOT}file/", views.file, name="health_file"),
    path(f"{_ROOT}limits/", views.limits, name="health_limits"),
    path(f"{_ROOT}patterns/", pattern_views.patterns, name="health_patterns"),
    path(f"{_ROOT}patterns/<int:rule_id>/delete/", pattern_views.delete, name="delete_pattern_rule"),
    path(f"{_ROOT}measurements/", views.measurements, name="health_measurements"),
    path(f"{_ROOT}measurements/start/", views.start, name="start_measurement"),
    path(f"{_ROOT}measurements/<int:measurement_id>/cancel/", views.cancel, name="cancel_measurement"),
]
