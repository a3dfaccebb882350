"""What a workspace spends: rows by day, limits for all and for one person, and a copy in Redis that workers reserve against."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import redis
from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils import timezone

from webapp.accounts.models import User
from webapp.agents.models import DailySpend, Run, SpendLimit, Step
from webapp.errors import Invalid, Unavailable
from webapp.events.publish import redis_client
from webapp.workspaces.models import Workspace
from workers.agents.purse import MICRO, marker_key, scope_key
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
MAX_USD: Final = 10_000_000
MAX_TOKENS: Final = 10**15
PERIODS: Final = ("day", "month")
SEED_TTL_S: Final = {"day": 2 * 86_400, "month": 33 * 86_400}
# Writes a scope only when it is absent: what workers have settled since is never overwritten.
_SEED: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for index = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
_TELL: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[1], 'limit_usd', 'limit_tokens')
for index = 1, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1]) end
return 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be spent a day and a month (UTC), in dollars and tokens; None means without limit."""

    day_usd: float | None = None
    month_usd: float | None = None
    day_tokens: int | None = None
    month_tokens: int | None = None

    @property
    def are_set(self) -> bool:
        return any(value is not None for value in asdict(self).values())


@dataclass(frozen=True, slots=True)
class Spent:
    """What some calls cost together. `cost_usd` leaves out the calls whose price nobody knows."""

    calls: int
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


def note_step(run: Run, step: Step) -> None:
    """Add a model call that has ended to its day. Called once a step, in the transaction that ends it."""
    if step.kind != "model_call" or step.input_tokens + step.output_tokens == 0:
        return
    model = str(step.detail.get("model") or run.model_choice.get("model") or run.model_label)[:200]
    whose: dict[str, Any] = {"user_id": run.requested_by_id}
    row, _ = DailySpend.objects.get_or_create(
        workspace_id=run.workspace_id,
        day=timezone.now().astimezone(UTC).date(),
        agent=run.agent,
        model=model,
        **whose,
    )
    DailySpend.objects.filter(pk=row.pk).update(
        calls=F("calls") + 1,
        unpriced_calls=F("unpriced_calls") + int(step.cost_usd is None),
        input_tokens=F("input_tokens") + step.input_tokens,
        output_tokens=F("output_tokens") + step.output_tokens,
        cost_usd=F("cost_usd") + (step.cost_usd or 0.0),
    )


def _sum(rows: Any) -> Spent:
    names = ("calls", "unpriced_calls", "input_tokens", "output_tokens", "cost_usd")
    found = rows.aggregate(**{name: Sum(name) for name in names})
    return Spent(**{name: found[name] or 0 for name in names})


def spent(workspace_id: int, period: str, at: datetime, *, user_id: int | None = None) -> Spent:
    """Return what was spent in the day or month of `at`, by all or by one person."""
    rows = DailySpend.objects.filter(workspace_id=workspace_id, day__gte=_first_day(period, at))
    return _sum(rows if user_id is None else rows.filter(user_id=user_id))


def _first_day(period: str, at: datetime) -> date:
    today = at.astimezone(UTC).date()
    return today if period == "day" else today.replace(day=1)


def by(field: str, workspace_id: int, at: datetime) -> list[dict[str, Any]]:
    """Return this month's spending by `agent`, `model` or `user__display_name`, the dearest first."""
    names = ("calls", "unpriced_calls", "input_tokens", "output_tokens", "cost_usd")
    rows = DailySpend.objects.filter(workspace_id=workspace_id, day__gte=_first_day("month", at))
    sums = rows.values(field).annotate(**{f"all_{name}": Sum(name) for name in names})
    found = [
        {"name": row[field] or "somebody who left", **{name: row[f"all_{name}"] for name in names}}
        for row in sums
    ]
    return sorted(found, key=lambda row: (-row["cost_usd"], -row["input_tokens"] - row["output_tokens"]))


def limits_of(workspace_id: int, user_id: int | None = None) -> Limits:
    """Return the limits of all together, or of one person."""
    whose: dict[str, Any] = {"user_id": user_id}
    row = SpendLimit.objects.filter(workspace_id=workspace_id, **whose).first()
    return Limits(**{name: getattr(row, name) for name in Limits.__dataclass_fields__}) if row else Limits()


def personal_limits(workspace: Workspace) -> list[SpendLimit]:
    """Return the limits of single people."""
    rows = SpendLimit.objects.filter(workspace=workspace).exclude(user=None).select_related("user")
    return list(rows.order_by("user__display_name"))


def set_limits(*, workspace: Workspace, limits: Limits, person: User | None = None) -> None:
    """Set what may be spent, by all or by one person; it binds the next call of every run, also of those at work.

    Raises:
        Invalid: a limit is out of bounds.
        Unavailable: it is written, but Redis is away, so that runs at work cannot be told.
    """
    for name, value in asdict(limits).items():
        most = MAX_USD if name.endswith("usd") else MAX_TOKENS
        if value is not None and not 0 <= value <= most:
            raise Invalid(f"A limit is between 0 and {most:,}; leave it empty for none.", field=name)
    with transaction.atomic():
        rows = SpendLimit.objects.filter(workspace=workspace, user=person)
        if limits.are_set:
            SpendLimit.objects.update_or_create(workspace=workspace, user=person, defaults=asdict(limits))
        else:
            rows.delete()
        transaction.on_commit(lambda: _tell(workspace.pk, person.pk if person else None, limits))


def _tell(workspace_id: int, user_id: int | None, limits: Limits) -> None:
    """Tell Redis the limits, beside what is known there as spent; a scope that is absent is seeded with them later."""
    client, now = redis_client(), datetime.now(UTC)
    try:
        if SpendLimit.objects.filter(workspace_id=workspace_id).exists():
            client.set(marker_key(workspace_id), "1")
        else:
            client.delete(marker_key(workspace_id))
        for period in PERIODS:
            flat = [part for pair in _limit_fields(limits, period).items() for part in pair]
            client.eval(_TELL, 1, scope_key(workspace_id, period, now, person_id=user_id), *flat)
    except (redis.RedisError, OSError) as error:
        # A Redis that comes back empty is seeded from the rows; one that kept its scopes keeps the limits of before.
        log.error("limits not told to Redis", workspace_id=workspace_id, error=str(error))
        raise Unavailable(
            "Redis is away: the limits are written, but runs at work do not know them. Save again."
        ) from error


def _limit_fields(limits: Limits, period: str) -> dict[str, int]:
    fields = {}
    if (usd := getattr(limits, f"{period}_usd")) is not None:
        fields["limit_usd"] = math.floor(usd * MICRO)
    if (tokens := getattr(limits, f"{period}_tokens")) is not None:
        fields["limit_tokens"] = tokens
    return fields


def seed(run: Run, *, at: datetime | None = None) -> None:
    """Write what the rows say into Redis where it is absent, for the run's workspace and the person who called.

    Raises:
        redis.RedisError: Redis is away.
    """
    now = at or timezone.now()
    client, workspace_id = redis_client(), run.workspace_id
    for user_id in dict.fromkeys((None, run.requested_by_id)):
        limits = limits_of(workspace_id, user_id)
        for period in PERIODS:
            known = spent(workspace_id, period, now, user_id=user_id)
            fields: dict[str, Any] = {"usd": math.ceil(known.cost_usd * MICRO), "tokens": known.tokens}
            fields |= _limit_fields(limits, period)
            if user_id is not None:
                fields["person"] = str(user_id)
            key = scope_key(workspace_id, period, now.astimezone(UTC), person_id=user_id)
            flat = [part for pair in fields.items() for part in pair]
            client.eval(_SEED, 1, key, SEED_TTL_S[period], *flat)
    if SpendLimit.objects.filter(workspace_id=workspace_id).exists():
        client.set(marker_key(workspace_id), "1")


def payer(run: Run) -> dict[str, Any]:
    """Return who pays, as the engine is handed it."""
    may_bind = Q(user=None) | Q(user_id=run.requested_by_id)
    is_limited = SpendLimit.objects.filter(may_bind, workspace_id=run.workspace_id).exists()
    return {"is_limited": is_limited, "person_id": run.requested_by_id}
