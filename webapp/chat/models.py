"""Channels where people and agents talk."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Channel(models.Model):
    """A place to talk in a workspace; every member of the workspace is in it."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="channels")
    name = models.SlugField(max_length=60)
    purpose = models.CharField(max_length=250, blank=True)
    is_archived = models.BooleanField(default=False)
    last_number = models.PositiveIntegerField(default=0)
    """Number of the newest message. Whoever posts locks this row, so that numbers have no gap and appear in order."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_channel_per_name")]

    def __str__(self) -> str:
        return self.name


class Topic(models.Model):
    """What a stretch of a channel is about."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="topics")
    name = models.CharField(max_length=80)
    last_number = models.PositiveIntegerField(default=0)
    """Number, in the channel, of the topic's newest message."""

    class Meta:
        ordering = ["-last_number"]
        constraints = [models.UniqueConstraint(fields=["channel", "name"], name="one_topic_per_name")]

    def __str__(self) -> str:
        return self.name


class Message(models.Model):
    """What somebody said. `author` is a person, or null with `agent` naming the agent."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="messages")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="messages")
    number = models.PositiveIntegerField()
    """1, 2, 3 … in the channel: what unread counts, pages of history and catching up go by."""
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    agent = models.CharField(max_length=40, blank=True)
    text = models.TextField()
    html = models.TextField()
    """`text` rendered and sanitised once, when written."""
    run = models.ForeignKey("agents.Run", null=True, on_delete=models.SET_NULL, related_name="messages")
    """The run whose card this message shows."""
    client_id = models.CharField(max_length=64, blank=True)
    """Made by the browser, so that sending again after a lost connection posts nothing twice."""
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(auto_now_add=True)
    """When it was posted, edited, deleted or reacted to last: what a page that was away must fetch again."""

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["topic", "number"])]
        constraints = [
            models.UniqueConstraint(fields=["channel", "number"], name="one_message_per_number"),
            models.UniqueConstraint(
                fields=["author", "client_id"],
                condition=~models.Q(client_id=""),
                name="one_message_per_client_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.text[:40]}"


class Mention(models.Model):
    """A person named in a message."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="mentions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mentions")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "user"], name="one_mention_per_person")]

    def __str__(self) -> str:
        return f"{self.user_id} in message {self.message_id}"


class ReadMark(models.Model):
    """How far a person has read a channel."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="read_marks")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="read_marks")
    last_read_number = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "user"], name="one_read_mark_per_person")]

    def __str__(self) -> str:
        return f"{self.user_id} up to {self.last_read_number}"


class Reaction(models.Model):
    """A person's emoji on a message."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="reactions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    emoji = models.CharField(max_length=16)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "user", "emoji"], name="one_reaction_per_person")
        ]

    def __str__(self) -> str:
        return self.emoji
