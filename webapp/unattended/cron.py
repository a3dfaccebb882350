"""When a cron expression is due, in a time zone. Moments are UTC outside of here; when clocks change, as Debian's cron."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from webapp.errors import Invalid

FIELDS: Final = 5
MAX_CHARS: Final = 100
COUNT_AT_MOST: Final = 3_000
"""Missed moments are counted one by one up to here (36 ms); beyond, "at least so many" is said."""


@dataclass(frozen=True, slots=True)
class Due:
    """The last due moment of a span, and how many passed before it."""

    moment: datetime
    missed: int


@cache
def zones() -> tuple[str, ...]:
    """Return the names of all time zones, `UTC` first."""
    return ("UTC", *sorted(name for name in available_timezones() if "/" in name))


def check(cron: str, zone: str, *, now: datetime) -> str:
    """Return the expression as it is stored.

    Raises:
        Invalid: no such zone, no cron expression of five fields, or one that is never due; `field` names which.
    """
    if zone not in zones():
        raise Invalid("There is no such time zone.", field="zone")
    cron = " ".join(cron.split())
    if len(cron) > MAX_CHARS or len(cron.split()) != FIELDS:
        raise Invalid("A cron expression has five fields: minute, hour, day, month, weekday.", field="cron")
    try:
        next_after(cron, zone, now)
    except (CronSimError, StopIteration) as error:
        raise Invalid(
            f"This cron expression is never due: {error or 'no such date'}.", field="cron"
        ) from error
    return cron


def next_after(cron: str, zone: str, at: datetime) -> datetime:
    """Return the first due moment after `at`."""
    return next(CronSim(cron, at.astimezone(ZoneInfo(zone)))).astimezone(UTC)


def last_due(cron: str, zone: str, *, since: datetime, until: datetime) -> Due:
    """Return the last due moment of `since`…`until`; `since` is a due moment itself and not after `until`."""
    moments = CronSim(cron, since.astimezone(ZoneInfo(zone)))
    last, missed = since, 0
    while missed < COUNT_AT_MOST:
        moment = next(moments).astimezone(UTC)
        if moment > until:
            return Due(last, missed)
        last, missed = moment, missed + 1
    backwards = CronSim(cron, (until + timedelta(seconds=1)).astimezone(ZoneInfo(zone)), reverse=True)
    return Due(max(last, next(backwards).astimezone(UTC)), missed)


def words(cron: str) -> str:
    """Return the expression in English, such as “At 09:00 on Monday through Friday”."""
    return str(CronSim(cron, datetime.now(UTC)).explain())
