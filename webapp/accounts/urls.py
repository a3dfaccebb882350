"""Addresses of the pages about people."""

from __future__ import annotations

from django.urls import path

from webapp.accounts import views

urlpatterns = [
    path("setup/", views.setup, name="setup"),
    path("invite/accept/", views.accept_invitation, name="accept_invitation"),
    path("invite/<str:token>/", views.invitation, name="invitation"),
    path("settings/", views.profile, name="profile"),
    path("settings/keys/", views.create_key, name="create_key"),
    path("settings/keys/<int:key_id>/revoke/", views.revoke_key, name="revoke_key"),
    path("settings/sign-out-everywhere/", views.sign_out_everywhere, name="sign_out_everywhere"),
    path("people/", views.people, name="people"),
    path("people/invite/", views.invite_person, name="invite_person"),
    path("people/<int:user_id>/active/", views.set_active, name="set_active"),
]
