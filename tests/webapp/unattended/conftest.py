"""A company whose member has a schedule, and a clock that tests turn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from tests.framework.people import Company
from webapp.agents.models import Run
from webapp.agents.services.ending import end_run
from webapp.events import publish
from webapp.unattended import services
from webapp.unattended.models import Schedule
from webapp.unattended.services.calling import CallingFields

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _with_redis(redis_client: redis.Redis) -> None:
    publish.redis_client.cache_clear()


@pytest.fixture
def schedule(company: Company) -> Schedule:
    """@tidy every hour from 11:00 on, made by the member at 10:00."""
    return make_schedule(company)


def make_schedule(company: Company, **more: Any) -> Schedule:
    """Return a schedule of the member's; `more` is what differs."""
    when = services.When(cron=more.pop("cron", "0 * * * *"), when_busy=more.pop("when_busy", "skip"))
    given = CallingFields(**({"name": "Nightly", "agent": "tidy"} | more))
    return services.create_schedule(
        workspace=company.workspace, created_by=company.member, given=given, when=when, now=NOW
    )


def end(run: Run, status: Run.Status = Run.Status.FINISHED) -> None:
    """End the run as the relay does."""
    from django.db import transaction

    with transaction.atomic():
        end_run(Run.objects.select_for_update().get(pk=run.pk), status, answer="Done.")
