"""Addresses of the pages of unattended work."""

from __future__ import annotations

from django.urls import path

from webapp.unattended.views import schedules

_ROOT = "w/<int:workspace_id>/unattended/"
_SCHEDULE = f"{_ROOT}schedules/<int:schedule_id>/"

urlpatterns = [
    path(_ROOT, schedules.schedules, name="unattended"),
    path(f"{_ROOT}schedules/add/", schedules.add, name="add_schedule"),
    path(_SCHEDULE, schedules.schedule, name="schedule"),
    path(f"{_SCHEDULE}edit/", schedules.edit, name="edit_schedule"),
    path(f"{_SCHEDULE}switch/", schedules.switch, name="switch_schedule"),
    path(f"{_SCHEDULE}start/", schedules.start, name="start_schedule"),
    path(f"{_SCHEDULE}delete/", schedules.delete, name="delete_schedule"),
]
