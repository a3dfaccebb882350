"""Addresses of the editor and git pages."""

from __future__ import annotations

from django.urls import path

from webapp.editor import views

urlpatterns = [
    path("w/<int:workspace_id>/files/", views.files, name="workspace_files"),
    path("w/<int:workspace_id>/git/", views.git, name="workspace_git"),
]
