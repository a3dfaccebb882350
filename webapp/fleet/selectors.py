"""Reads about the fleet: what its leader says, the rows beside it, what was given up, what the relay set aside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

import orjson
import redis
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from webapp.agents.models import Run, Step
from webapp.agents.plain import one_line
from webapp.agents.selectors import HELD, given_up
from webapp.events.publish import redis_client
from webapp.fleet.access import Sight
from webapp.fleet.models import Share
from webapp.fleet.picture import Picture, actions_of, draw
from webapp.workspaces.models import Workspace
from workers.events import DEAD_KEY
from workers.queue import FleetState, read_fleet
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
MOST_ROWS: Final = 2_000
MOST_GIVEN_UP: Final = 100
MOST_SET_ASIDE: Final = 50
MOST_SHARES: Final = 500
_UNSEEN: Final = ("job", "model_choice", "lineage", "budget", "answer", "error_message")


def fleet_state() -> FleetState | None:
    """Return what the leader says; None when nobody leads, or nobody can be heard because Redis is away."""
    try:
        return read_fleet(redis_client())
    except redis.RedisError:
        return None
    except ValueError as error:
        log.warning("the fleet's state cannot be read", error=str(error))
        return None


def look(sight: Sight) -> Picture:
    """Return the fleet as this person sees it now."""
    runs = Run.objects.select_related("workspace", "requested_by").defer(*_UNSEEN).order_by("created_at")
    # Asked for apart, so that a long line of those that wait hides nobody who works.
    begun = runs.filter(status__in=[*HELD, Run.Status.SUSPENDED])[:MOST_ROWS]
    queued = runs.filter(status=Run.Status.QUEUED)[:MOST_ROWS]
    return draw(fleet_state(), chain(begun, queued), sight=sight, now=timezone.now())


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A run that lost its worker too often; `last_step` is empty for who may not read the workspace."""

    run: Run
    last_step: str
    is_member: bool
    may_hold: bool
    actions: str


def given_up_runs(sight: Sight) -> list[GivenUp]:
    """Return the runs that want a person's attention, the last one first."""
    last = Step.objects.filter(run=OuterRef("pk")).order_by("-seq").values("title")[:1]
    runs = given_up(sight.workspace.pk if sight.workspace else None)
    found = runs.select_related("workspace", "requested_by").annotate(last_step=Subquery(last))
    return [_given_up(run, sight) for run in found[:MOST_GIVEN_UP]]


def _given_up(run: Any, sight: Sight) -> GivenUp:
    is_member = run.workspace_id in sight.member_of
    step = one_line(run.last_step or "", limit=160) if is_member else ""
    return GivenUp(run, step, is_member, sight.may_hold(run), actions_of(run, sight))


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event of the engine that could not be recorded."""

    id: str
    at: datetime
    type: str
    run_id: str
    problem: str


def set_aside_events() -> list[SetAside]:
    """Return the last events that the relay set aside, the newest first; nothing while Redis is away."""
    try:
        entries: Any = redis_client().xrevrange(DEAD_KEY, count=MOST_SET_ASIDE)
    except redis.RedisError:
        return []
    return [_set_aside(entry_id.decode(), fields) for entry_id, fields in entries]


def _set_aside(entry_id: str, fields: dict[bytes, bytes]) -> SetAside:
    try:
        event = orjson.loads(fields.get(b"event", b""))
    except ValueError:
        event = None
    told = event if isinstance(event, dict) else {}
    problem = fields.get(b"problem", b"").decode(errors="replace")
    return SetAside(
        id=entry_id,
        at=datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC),
        type=one_line(str(told.get("type", "unreadable")), limit=60),
        run_id=one_line(str(told.get("run_id", "")), limit=60),
        problem=one_line(problem, limit=400),
    )


@dataclass(frozen=True, slots=True)
class ShareRow:
    """A workspace and its weight, 1 unless another was set."""

    workspace_id: int
    workspace: str
    weight: float


def shares() -> list[ShareRow]:
    """Return every workspace's share, by name."""
    rows = Workspace.objects.order_by("name", "pk").values_list("pk", "name", "fleet_share__weight")
    return [ShareRow(pk, name, 1.0 if weight is None else weight) for pk, name, weight in rows[:MOST_SHARES]]


def weight_of(workspace_id: int) -> float:
    """Return a workspace's weight."""
    return Share.objects.filter(pk=workspace_id).values_list("weight", flat=True).first() or 1.0
