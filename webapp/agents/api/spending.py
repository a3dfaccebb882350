"""Spending, its limits and the price table over REST."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status

from webapp.accounts.access import require_scope
from webapp.accounts.models import User
from webapp.agents import prices, spending
from webapp.agents.prices import MAX_USD_PER_MTOK, PriceRow
from webapp.agents.spending import Limits, Spent
from webapp.api import Body, ErrorReply
from webapp.errors import NotFound
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Membership, Role

router = Router(tags=["spending"])
ERRORS: dict[Any, Any] = {401: ErrorReply, 403: ErrorReply, 404: ErrorReply, 409: ErrorReply, 422: ErrorReply}


class SpentOut(Schema):
    """What some calls cost; `cost_usd` leaves out those whose price nobody knows."""

    calls: int
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float = Field(examples=[1.25])


class SpentBy(SpentOut):
    """The same for one agent, model or person."""

    name: str


class LimitFields(Schema):
    """What may be spent a day and a month (UTC); null means without limit."""

    day_usd: float | None = Field(None, ge=0, le=spending.MAX_USD)
    month_usd: float | None = Field(None, ge=0, le=spending.MAX_USD, examples=[100])
    day_tokens: int | None = Field(None, ge=0, le=spending.MAX_TOKENS)
    month_tokens: int | None = Field(None, ge=0, le=spending.MAX_TOKENS)


class SpendLimitsIn(LimitFields, Body):
    """Limits of all together, or of one person."""

    person_id: int | None = Field(None, ge=1, le=2**63 - 1, description="Null for all together.")


class PersonLimits(LimitFields):
    """Limits of one person."""

    person_id: int
    person: str


class SpendOut(Schema):
    """What a workspace spends and may spend."""

    today: SpentOut
    month: SpentOut
    limits: LimitFields
    personal_limits: list[PersonLimits]
    by_agent: list[SpentBy]
    by_model: list[SpentBy]
    by_person: list[SpentBy]


class PriceFields(Schema):
    """What a model costs, in dollars per million tokens."""

    model: str = Field(min_length=1, max_length=120, examples=["qwen2.5-coder:7b"])
    input_usd_per_mtok: float = Field(ge=0, le=MAX_USD_PER_MTOK, examples=[0.5])
    output_usd_per_mtok: float = Field(ge=0, le=MAX_USD_PER_MTOK, examples=[1.5])
    cached_input_usd_per_mtok: float | None = Field(None, ge=0, le=MAX_USD_PER_MTOK)
    cache_write_usd_per_mtok: float | None = Field(None, ge=0, le=MAX_USD_PER_MTOK)
    source: str = Field("", max_length=300)
    as_of: date | None = Field(None, description="Null for today.")


class PriceIn(PriceFields, Body):
    """A line to write."""


class PriceOut(PriceFields):
    """A line of the table."""

    is_own: bool = Field(description="Whether the workspace wrote it; else it is of the table to begin with.")


def _shown(spent: Spent) -> dict[str, Any]:
    return asdict(spent)


def _spend(workspace_id: int) -> dict[str, Any]:
    now = timezone.now()
    return {
        "today": _shown(spending.spent(workspace_id, "day", now)),
        "month": _shown(spending.spent(workspace_id, "month", now)),
        "limits": asdict(spending.limits_of(workspace_id)),
        "by_agent": spending.by("agent", workspace_id, now),
        "by_model": spending.by("model", workspace_id, now),
        "by_person": spending.by("user__display_name", workspace_id, now),
    }


@router.get(
    "/workspaces/{int:workspace_id}/spend", response={200: SpendOut, **ERRORS}, summary="Get the spending"
)
def get_spend(request: HttpRequest, workspace_id: int) -> Any:
    """Return what model calls of the workspace cost today and this month, and what may be spent."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    personal = [
        {
            "person_id": row.user_id,
            "person": str(row.user),
            **{name: getattr(row, name) for name in Limits.__dataclass_fields__},
        }
        for row in spending.personal_limits(workspace)
    ]
    return {**_spend(workspace.pk), "personal_limits": personal}


@router.put(
    "/workspaces/{int:workspace_id}/spend/limits",
    response={200: LimitFields, **ERRORS},
    summary="Set the limits of spending",
)
def set_limits(request: HttpRequest, workspace_id: int, body: SpendLimitsIn) -> Any:
    """Set what may be spent by all, or by one person; it binds the next call of every run. For maintainers."""
    workspace = workspace_for(require_scope(request, "admin"), workspace_id, role=Role.MAINTAINER)
    person: User | None = None
    if body.person_id is not None:
        row = (
            Membership.objects.filter(workspace=workspace, user_id=body.person_id)
            .select_related("user")
            .first()
        )
        if row is None:
            raise NotFound("There is no such person in this workspace.")
        person = row.user
    spending.set_limits(workspace=workspace, limits=Limits(**body.dict(exclude={"person_id"})), person=person)
    return asdict(spending.limits_of(workspace.pk, body.person_id))


@router.get(
    "/workspaces/{int:workspace_id}/prices",
    response={200: list[PriceOut], **ERRORS},
    summary="List the prices",
)
def list_prices(request: HttpRequest, workspace_id: int) -> Any:
    """Return the price table: the workspace's own lines, and those to begin with."""
    return prices.table(workspace_for(require_scope(request, "read"), workspace_id))


@router.put(
    "/workspaces/{int:workspace_id}/prices", response={200: list[PriceOut], **ERRORS}, summary="Set a price"
)
def set_price(request: HttpRequest, workspace_id: int, body: PriceIn) -> Any:
    """Write what a model costs in this workspace; for maintainers."""
    workspace = workspace_for(require_scope(request, "admin"), workspace_id, role=Role.MAINTAINER)
    prices.set_price(workspace=workspace, row=PriceRow(**body.dict()))
    return prices.table(workspace)


@router.delete(
    "/workspaces/{int:workspace_id}/prices", response={204: None, **ERRORS}, summary="Delete a price"
)
def delete_price(
    request: HttpRequest, workspace_id: int, model: str = Query(..., max_length=120, examples=["gpt-5"])
) -> Any:
    """Take the workspace's own price of a model away; for maintainers."""
    workspace = workspace_for(require_scope(request, "admin"), workspace_id, role=Role.MAINTAINER)
    prices.delete_price(workspace=workspace, model=model)
    return Status(204, None)
