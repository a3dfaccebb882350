"""What was set going with a key stops when the key is revoked, and says so; what a person took into their own hands goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.framework.people import Company
from tests.webapp.unattended.conftest import NOW, make_schedule
from webapp.accounts import services as accounts
from webapp.accounts.models import ApiKey
from webapp.agents.models import Run
from webapp.unattended import services
from webapp.unattended.models import Act, Goal, Schedule, Webhook
from webapp.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
MakeKey = Callable[..., dict[str, str]]
BODIES: dict[str, dict[str, Any]] = {
    "schedules": {"name": "Hourly", "agent": "tidy", "cron": "5 * * * *"},
    "webhooks": {"name": "Pushed", "agent": "tidy"},
    "goals": {"name": "Green", "agent": "tidy", "goal": "make it green", "command": "pytest"},
}


def rest(company: Company, kind: str) -> str:
    return f"/api/v1/workspaces/{company.workspace.pk}/unattended/{kind}"


def make(company: Company, headers: dict[str, str], kind: str) -> dict[str, Any]:
    reply = Client().post(rest(company, kind), BODIES[kind], content_type="application/json", headers=headers)
    assert reply.status_code == 201, reply.content
    return dict(reply.json())


def revoke(company: Company) -> ApiKey:
    key = ApiKey.objects.get(revoked_at=None)
    accounts.revoke_api_key(user=company.member, key_id=key.pk)
    key.refresh_from_db()
    return key


@pytest.mark.parametrize("is_bound", [True, False])
def test_all_that_a_key_set_going_stops_with_it_and_says_so(
    company: Company, api_key: MakeKey, is_bound: bool
) -> None:
    """Trap: a schedule made with a key that had leaked called agents for ever after the key was gone."""
    headers = api_key(company.member, "run", "read", workspace=company.workspace if is_bound else None)
    for kind in BODIES:
        assert make(company, headers, kind)["api_key_id"] == ApiKey.objects.get().pk
    services.advance_goals()
    (run,) = Run.objects.all()
    by_hand = make_schedule(company, name="By hand")
    page = company.client(company.viewer).get(
        f"/w/{company.workspace.pk}/unattended/schedules/{Schedule.objects.get(name='Hourly').pk}/"
    )
    assert "it stops when that is revoked" in page.content.decode()

    key = revoke(company)
    note = f"Stopped: its key “{key.name}” was revoked on {key.revoked_at:%Y-%m-%d %H:%M} UTC."
    schedule, webhook, goal = Schedule.objects.get(name="Hourly"), Webhook.objects.get(), Goal.objects.get()
    assert (schedule.is_enabled, schedule.next_at, schedule.stop_note) == (False, None, note)
    assert (webhook.is_enabled, webhook.stop_note) == (False, note)
    assert (goal.state, goal.note) == ("stopped", note)
    run.refresh_from_db()
    assert run.status in ("cancelled", "cancelling")
    assert Act.objects.filter(by=None, note__contains=note).count() == 3
    shown = company.client(company.viewer).get(
        f"/w/{company.workspace.pk}/unattended/schedules/{schedule.pk}/"
    )
    assert note in shown.content.decode()
    by_hand.refresh_from_db()
    assert by_hand.is_enabled


def test_what_a_person_switched_on_at_a_page_is_theirs(company: Company, api_key: MakeKey) -> None:
    make(company, api_key(company.member, "run"), "schedules")
    schedule = Schedule.objects.get()
    assert "with the key" in Act.objects.get().note
    revoke(company)
    services.switch_schedule(schedule=schedule, is_on=True, by=company.member, now=NOW)
    schedule.refresh_from_db()
    assert (schedule.api_key, schedule.stop_note, schedule.is_enabled) == (None, "", True)
    services.fire_due(now=NOW + timedelta(hours=1))
    assert Run.objects.count() == 1


def test_what_a_key_changed_or_switched_on_is_the_keys_from_then_on(
    company: Company, api_key: MakeKey
) -> None:
    schedule = make_schedule(company)
    headers = api_key(company.member, "run")
    address = f"{rest(company, 'schedules')}/{schedule.pk}"
    Client().put(address, BODIES["schedules"], content_type="application/json", headers=headers)
    schedule.refresh_from_db()
    assert schedule.api_key is not None
    services.switch_schedule(schedule=schedule, is_on=False, by=company.member)
    services.switch_schedule(schedule=schedule, is_on=True, by=company.member)
    schedule.refresh_from_db()
    assert schedule.api_key is None
    for is_on in (False, True):
        Client().post(
            f"{address}/switch", {"is_enabled": is_on}, content_type="application/json", headers=headers
        )
    revoke(company)
    schedule.refresh_from_db()
    assert not schedule.is_enabled


def test_a_key_that_was_revoked_unheard_counts_at_the_due_moment(company: Company, api_key: MakeKey) -> None:
    """A request may be on its way while its key is revoked; a backup may be older than that."""
    make(company, api_key(company.member, "run"), "schedules")
    ApiKey.objects.update(revoked_at=timezone.now())
    Schedule.objects.update(next_at=NOW)
    services.fire_due(now=NOW)
    schedule = Schedule.objects.get()
    assert not schedule.is_enabled and "was revoked on" in schedule.stop_note
    assert not Run.objects.exists()


def test_nobody_elses_key_stops_anything(company: Company, api_key: MakeKey) -> None:
    make(company, api_key(company.member, "run"), "schedules")
    workspace = Workspace.objects.exclude(pk=company.workspace.pk).first()
    api_key(company.stranger, "run", workspace=workspace)
    strangers = ApiKey.objects.get(user=company.stranger)
    accounts.revoke_api_key(user=company.stranger, key_id=strangers.pk)
    assert Schedule.objects.get().is_enabled
