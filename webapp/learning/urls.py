"""Addresses of the lessons' pages."""

from __future__ import annotations

from django.urls import path

from webapp.learning import views

_ROOT = "w/<int:workspace_id>/lessons/"
_ONE = f"{_ROOT}<int:lesson_id>/"

urlpatterns = [
    path(_ROOT, views.lessons, name="workspace_lessons"),
    path(f"{_ROOT}new/", views.new, name="new_lesson"),
    path(_ONE, views.lesson, name="lesson"),
    path(f"{_ONE}pin/", views.pin, name="pin_lesson"),
    path(f"{_ONE}archive/", views.archive, name="archive_lesson"),
    path(f"{_ONE}restore/", views.restore, name="restore_lesson"),
    path(f"{_ONE}delete/", views.delete, name="delete_lesson"),
]
