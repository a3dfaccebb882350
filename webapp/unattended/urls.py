"""Addresses of the pages of unattended work."""

from __future__ import annotations

from django.urls import path

from webapp.unattended.views import goals, hooks, schedules, webhooks

_ROOT = "w/<int:workspace_id>/unattended/"
_SCHEDULE = f"{_ROOT}schedules/<int:schedule_id>/"
_WEBHOOK = f"{_ROOT}webhooks/<int:webhook_id>/"
_GOAL = f"{_ROOT}goals/<int:goal_id>/"

urlpatterns = [
    path(_ROOT, schedules.schedules, name="unattended"),
    path(f"{_ROOT}schedules/add/", schedules.add, name="add_schedule"),
    path(_SCHEDULE, schedules.schedule, name="schedule"),
    path(f"{_SCHEDULE}edit/", schedules.edit, name="edit_schedule"),
    path(f"{_SCHEDULE}switch/", schedules.switch, name="switch_schedule"),
    path(f"{_SCHEDULE}start/", schedules.start, name="start_schedule"),
    path(f"{_SCHEDULE}delete/", schedules.delete, name="delete_schedule"),
    path(f"{_ROOT}webhooks/", webhooks.webhooks, name="webhooks"),
    path(f"{_ROOT}webhooks/add/", webhooks.add, name="add_webhook"),
    path(_WEBHOOK, webhooks.webhook, name="webhook"),
    path(f"{_WEBHOOK}edit/", webhooks.edit, name="edit_webhook"),
    path(f"{_WEBHOOK}switch/", webhooks.switch, name="switch_webhook"),
    path(f"{_WEBHOOK}secret/", webhooks.renew, name="renew_webhook"),
    path(f"{_WEBHOOK}delete/", webhooks.delete, name="delete_webhook"),
    path(f"{_ROOT}goals/", goals.goals, name="goals"),
    path(f"{_ROOT}goals/add/", goals.add, name="add_goal"),
    path(_GOAL, goals.goal, name="goal"),
    path(f"{_GOAL}stop/", goals.stop, name="stop_goal"),
    path(f"{_GOAL}delete/", goals.delete, name="delete_goal"),
    path("hooks/<str:public_id>", hooks.hook, name="hook"),
]
