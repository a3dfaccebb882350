"""Writes about channels and messages."""

from webapp.chat.services.channels import change_channel, create_channel, furnish, mark_read
from webapp.chat.services.messages import (
    Posted,
    delete_message,
    edit_message,
    post_message,
    post_notice,
    react,
)

__all__ = [
    "Posted",
    "change_channel",
    "create_channel",
    "delete_message",
    "edit_message",
    "furnish",
    "mark_read",
    "post_message",
    "post_notice",
    "react",
]
