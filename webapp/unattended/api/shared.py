"""The shapes that schedules, webhooks and goals share over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Field, Schema

from webapp.agents.api.runs import BudgetIn
from webapp.api import Body, ErrorReply
from webapp.unattended.models import Act
from webapp.unattended.services.calling import CallingFields
from workers.queue import Budget

ERRORS: dict[Any, Any] = {401: ErrorReply, 403: ErrorReply, 404: ErrorReply, 422: ErrorReply}
CHANGING: dict[Any, Any] = {**ERRORS, 409: ErrorReply}


class CallingIn(Body):
    """How an agent is called."""

    name: str = Field(min_length=1, max_length=80, examples=["Tidy every night"])
    agent: str = Field(max_length=40, examples=["tidy"])
    goal: str = Field("", max_length=20_000, description="May be empty for an agent that needs no model.")
    model_id: int | None = Field(
        None, description="A model of yours, of the workspace or of the installation."
    )
    budget: BudgetIn | None = Field(None, description="The workspace's default budget when null.")
    priority: Literal["high", "standard", "low"] = "standard"
    channel_id: int | None = Field(None, description="Where the runs' cards stand; among the runs when null.")
    topic: str = Field("", max_length=80)

    def to_fields(self) -> CallingFields:
        """Return it as the services take it."""
        return CallingFields(
            name=self.name,
            agent=self.agent,
            goal=self.goal,
            profile_id=self.model_id,
            budget=Budget(**self.budget.dict()) if self.budget else None,
            priority=self.priority,
            channel_id=self.channel_id,
            topic=self.topic,
        )


class CallingOut(Schema):
    """How an agent is called, and who answers for it."""

    id: int
    name: str
    agent: str = Field(examples=["tidy"])
    goal: str
    model_id: int | None
    budget: dict[str, Any] | None = Field(description="Null for the workspace's default.")
    priority: str = Field(examples=["standard"])
    channel_id: int | None
    topic: str
    owner_id: int | None = Field(
        description="Whose runs they are. Whoever changes it or switches it on takes it over."
    )
    api_key_id: int | None = Field(
        description="The key with which it was made, changed or switched on last; it stops when that is revoked. Null at a page."
    )
    created_at: datetime


class EnabledIn(Body):
    """On or off."""

    is_enabled: bool


class ActOut(Schema):
    """Who did what with unattended work."""

    kind: Literal["schedule", "webhook", "goal"]
    item_id: int
    name: str
    verb: str = Field(examples=["changed"])
    by_id: int | None = Field(description="Null for what PyAgent did by itself; the note says why.")
    note: str
    at: datetime


def act_row(act: Act) -> dict[str, Any]:
    """Return an act as the API shows it."""
    names = ("kind", "item_id", "name", "verb", "by_id", "note", "at")
    return {name: getattr(act, name) for name in names}
