"""Addresses of the workspace pages."""

from __future__ import annotations

from django.urls import path

from webapp.workspaces import views

urlpatterns = [
    path("", views.home, name="home"),
    path("new/", views.new_workspace, name="new_workspace"),
    path("w/<int:workspace_id>/", views.workspace, name="workspace"),
    path("w/<int:workspace_id>/state/", views.workspace_state, name="workspace_state"),
    path("w/<int:workspace_id>/stop/", views.stop_preparing, name="stop_preparing"),
    path("w/<int:workspace_id>/members/", views.members, name="workspace_members"),
    path("w/<int:workspace_id>/members/invite/", views.invite, name="workspace_invite"),
    path(
        "w/<int:workspace_id>/members/invitations/<int:invitation_id>/revoke/",
        views.revoke_invitation,
        name="revoke_invitation",
    ),
    path("w/<int:workspace_id>/members/<int:user_id>/", views.change_member, name="change_member"),
    path("w/<int:workspace_id>/settings/", views.workspace_settings, name="workspace_settings"),
    path("w/<int:workspace_id>/delete/", views.delete_workspace, name="delete_workspace"),
]
