"""Addresses of the chat pages."""

from __future__ import annotations

from django.urls import path

from webapp.chat import views

urlpatterns = [
    path("w/<int:workspace_id>/c/", views.channels, name="workspace_channels"),
    path("w/<int:workspace_id>/c/new/", views.new_channel, name="new_channel"),
    path("w/<int:workspace_id>/c/rail/", views.rail, name="channel_rail"),
    path("w/<int:workspace_id>/c/mentions/", views.mentions, name="channel_mentions"),
    path("w/<int:workspace_id>/search/", views.search, name="workspace_search"),
    path("w/<int:workspace_id>/c/<slug:name>/", views.channel, name="channel"),
    path("w/<int:workspace_id>/c/<slug:name>/messages/", views.messages, name="channel_messages"),
    path("w/<int:workspace_id>/c/<slug:name>/topics/", views.topics, name="channel_topics"),
    path("w/<int:workspace_id>/c/<slug:name>/settings/", views.channel_settings, name="channel_settings"),
    path("w/<int:workspace_id>/m/<int:message_id>/", views.message, name="message"),
]
