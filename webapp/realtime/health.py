"""Whether this installation can serve: each part asked, each answer told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis
from django.db import DatabaseError, connection

from webapp.events.publish import redis_client
from webapp.realtime.relay import HEARTBEAT_KEY
from workers.events import STREAM_KEY
from workers.queue import read_fleet
from workers.telemetry.logging import get_logger

log = get_logger(__name__)

RELAY_SILENCE_S = 15.0


def check_database() -> str:
    """Return "" when the database answers, else what is wrong."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        # Whoever asks may be anybody: the reason goes to the log.
        log.warning("not ready", part="database", error=str(error))
        return "the database does not answer"
    return ""


def check_redis() -> str:
    """Return "" when Redis answers, else what is wrong."""
    try:
        redis_client().ping()
    except redis.RedisError as error:
        log.warning("not ready", part="redis", error=str(error))
        return "Redis does not answer"
    return ""


def check_relay() -> str:
    """Return "" when the relay was heard of lately, else what is wrong."""
    try:
        beat: Any = redis_client().get(HEARTBEAT_KEY)
    except redis.RedisError:
        return "unknown while Redis does not answer"
    if beat is None:
        return "the relay was not heard of for a minute or more"
    silence = time.time() - float(beat)
    return f"the relay was last heard of {silence:.0f} s ago" if silence > RELAY_SILENCE_S else ""


def check_fleet() -> str:
    """Return "" when a node leads the fleet, else what is wrong; runs stay queued meanwhile."""
    try:
        state = read_fleet(redis_client())
    except redis.RedisError:
        return "unknown while Redis does not answer"
    except ValueError as error:
        log.warning("not ready", part="fleet", error=str(error))
        return "what the fleet's leader says cannot be read"
    return "" if state else "no node process leads the fleet, so no run is admitted"


CHECKS: dict[str, Callable[[], str]] = {
    "database": check_database,
    "redis": check_redis,
    "relay": check_relay,
    "fleet": check_fleet,
}


def problems() -> dict[str, str]:
    """Return what is wrong, by part; nothing when ready."""
    return {name: problem for name, check in CHECKS.items() if (problem := check())}


def relay_backlog() -> int | None:
    """Return how many engine events wait for the relay; None while Redis is away."""
    try:
        length: Any = redis_client().xlen(STREAM_KEY)
    except redis.RedisError:
        return None
    return int(length)
