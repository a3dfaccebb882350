from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from redis.asyncio import Redis

from tests.webapp.agents.conftest import Engine
from tests.webapp.agents.test_api import caller
from webapp.agents import spending
from webapp.agents.models import DailySpend
from webapp.agents.services.launching import build_job
from webapp.agents.spending import Limits
from webapp.errors import Invalid
from workers.agents.purse import Purse, Reservation
from workers.errors import BudgetExceeded
from workers.queue import Job

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now


def call(worker: Engine, step_id: str, **finished) -> None:
    fields = {
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_usd": 0.25,
        "detail": {"model": "gpt"},
    } | finished
    worker.step(step_id, kind="model_call", **fields)


def seed(run, *, token=None):
    return Client().post(
        "/internal/spend/",
        json.dumps({"run_id": str(run.pk), "fence": run.fence}),
        content_type="application/json",
        headers={"X-PyAgent-Internal": settings.INTERNAL_TOKEN if token is None else token},
    )


def reserve(run, redis_server, worst: Reservation) -> None:
    """Reserve and settle as a worker does, with the web app's own door as the one to seed from."""

    async def go() -> None:
        client = Redis.from_url(redis_server.url)

        async def ask() -> None:
            answer = await asyncio.to_thread(seed, run)
            assert answer.status_code == 200, answer.content

        try:
            async with Purse(client, build, seed=ask).reserve(worst, model="gpt") as paid:
                paid.used_tokens, paid.used_usd = worst.tokens, worst.cost_usd
        finally:
            await client.aclose()

    build: Job = build_job(run)
    asyncio.run(go())


def test_adds_up_each_call_once(worker, run):
    call(worker, "s1")
    call(worker, "s2", detail={"model": "claude"}, cost_usd=None)
    worker.step("s3", input_tokens=0)
    month = spending.spent(run.workspace_id, "month", NOW())
    assert (month.calls, month.unpriced_calls, month.tokens, month.cost_usd) == (2, 1, 240, 0.25)
    assert spending.spent(run.workspace_id, "day", NOW(), user_id=run.requested_by_id) == month
    assert spending.spent(run.workspace_id, "day", NOW(), user_id=0).calls == 0
    assert [row["name"] for row in spending.by("model", run.workspace_id, NOW())] == ["gpt", "claude"]
    assert [row["name"] for row in spending.by("agent", run.workspace_id, NOW())] == ["coder"]


def test_a_day_and_a_month_have_an_end(worker, run):
    call(worker, "s1")
    at = datetime.now(UTC)
    DailySpend.objects.update(day=(at - timedelta(days=1)).date())
    assert spending.spent(run.workspace_id, "day", at).calls == 0
    DailySpend.objects.update(day=at.date().replace(day=1) - timedelta(days=1))
    assert spending.spent(run.workspace_id, "month", at).calls == 0


def test_workers_reserve_against_what_the_rows_say(worker, run, workspace, redis_server, redis_client):
    call(worker, "s1")
    spending.set_limits(workspace=workspace, limits=Limits(day_usd=1.0))
    reserve(run, redis_server, Reservation(10, 0.7))
    with pytest.raises(BudgetExceeded, match=r"today of \$1.00 has \$0.0500 left"):
        reserve(run, redis_server, Reservation(10, 0.1))
    # New limits leave what was settled and is in no row yet.
    spending.set_limits(workspace=workspace, limits=Limits(day_usd=1.1, day_tokens=10**6))
    with pytest.raises(BudgetExceeded, match=r"today of \$1.10 has \$0.1500 left"):
        reserve(run, redis_server, Reservation(10, 0.2))
    # Redis forgets: what the rows know holds again, and with it the limits.
    redis_client.flushall()
    call(worker, "s2", cost_usd=0.7)
    with pytest.raises(BudgetExceeded):
        reserve(run, redis_server, Reservation(10, 0.2))
    spending.set_limits(workspace=workspace, limits=Limits(day_usd=2.0))
    reserve(run, redis_server, Reservation(10, 0.1))
    spending.set_limits(workspace=workspace, limits=Limits())
    reserve(run, redis_server, Reservation(10, 100.0))


def test_a_limit_that_is_set_now_binds_a_run_at_work(worker, run, workspace, redis_server):
    run.refresh_from_db()
    job_of_before = build_job(run)
    assert job_of_before.spend == {"is_limited": False, "person_id": run.requested_by_id}
    spending.set_limits(workspace=workspace, limits=Limits(day_tokens=5))

    async def go() -> None:
        client = Redis.from_url(redis_server.url)

        async def ask() -> None:
            await asyncio.to_thread(seed, run)

        async with Purse(client, job_of_before, seed=ask).reserve(Reservation(10, 0.0), model="gpt"):
            raise AssertionError("it was let through")

    with pytest.raises(BudgetExceeded):
        asyncio.run(go())


def test_a_persons_limit_is_theirs_alone(worker, run, workspace, people, redis_server):
    spending.set_limits(workspace=workspace, limits=Limits(day_tokens=5), person=people.viewer)
    assert build_job(run).spend["is_limited"] is False
    reserve(run, redis_server, Reservation(10, 0.0))
    spending.set_limits(workspace=workspace, limits=Limits(day_tokens=5), person=people.member)
    assert build_job(run).spend["is_limited"] is True
    with pytest.raises(BudgetExceeded, match="the caller’s own budget"):
        reserve(run, redis_server, Reservation(10, 0.0))


def test_seeds_for_the_worker_that_holds_the_run_and_tells_nobody_else(worker, run, monkeypatch):
    assert seed(run).json() == {"is_seeded": True}
    assert seed(run, token="wrong").status_code == 403
    run.fence = 9
    assert seed(run).status_code == 404


@pytest.mark.parametrize(
    "limits", [{"day_usd": -1.0}, {"month_usd": float("nan")}, {"day_tokens": -1}, {"month_tokens": 10**16}]
)
def test_refuses_limits_that_are_none(workspace, limits):
    with pytest.raises(Invalid):
        spending.set_limits(workspace=workspace, limits=Limits(**limits))


def test_over_rest(worker, workspace, people):
    call(worker, "s1")
    path = f"/workspaces/{workspace.pk}/spend"
    member, maintainer = caller(people.member), caller(people.maintainer)
    shown = member("get", path).json()
    assert shown["today"] == {
        "calls": 1,
        "unpriced_calls": 0,
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_usd": 0.25,
    }
    assert shown["by_model"][0]["name"] == "gpt" and shown["by_person"][0]["name"] == "Member"
    assert shown["limits"] == {"day_usd": None, "month_usd": None, "day_tokens": None, "month_tokens": None}
    given = {"day_usd": 5.0, "month_tokens": 1000}
    assert maintainer("put", f"{path}/limits", given).json()["day_usd"] == 5.0
    personal = {**given, "person_id": people.viewer.pk}
    assert maintainer("put", f"{path}/limits", personal).status_code == 200
    assert member("get", path).json()["personal_limits"][0]["person_id"] == people.viewer.pk
    assert maintainer("put", f"{path}/limits", {**given, "person_id": people.stranger.pk}).status_code == 404
    assert member("put", f"{path}/limits", given).status_code == 403
    assert caller(people.stranger)("get", path).status_code == 404


def test_on_its_page(worker, workspace, people, browser):
    call(worker, "s1")
    call(worker, "s2", cost_usd=None)
    path = f"/w/{workspace.pk}/spend/"
    shown = browser(people.viewer).get(path).content.decode()
    assert "$0.25" in shown and "1 of unknown price" in shown and "Save the limits" not in shown
    maintainer = browser(people.maintainer)
    assert "Save the limits" in maintainer.get(path).content.decode()
    assert maintainer.post(f"{path}limits/", {"day_usd": "3", "month_tokens": "900"}).status_code == 302
    assert spending.limits_of(workspace.pk) == Limits(day_usd=3.0, month_tokens=900)
    form = {"person": people.member.pk, "day_tokens": "77"}
    assert maintainer.post(f"{path}limits/", form).status_code == 302
    assert spending.limits_of(workspace.pk, people.member.pk) == Limits(day_tokens=77)
    assert "77 tokens a day" in maintainer.get(path).content.decode()
    chosen = maintainer.get(f"{path}?person={people.member.pk}").content.decode()
    assert f'<option value="{people.member.pk}" selected>' in chosen and 'value="77"' in chosen
    assert maintainer.post(f"{path}limits/", {"day_usd": "-3"}).status_code == 422
    assert maintainer.post(f"{path}limits/", {**form, "person": people.stranger.pk}).status_code == 422
    assert browser(people.member).post(f"{path}limits/", {"day_usd": "3"}).status_code == 403
    assert browser(people.stranger).get(path).status_code == 404


def test_prices_over_rest_and_on_their_page(workspace, people, browser):
    path = f"/workspaces/{workspace.pk}/prices"
    maintainer = caller(people.maintainer)
    line = {"model": "own-1", "input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0, "as_of": "2026-11-01"}
    assert maintainer("put", path, line).status_code == 200
    shown = {row["model"]: row for row in caller(people.viewer)("get", path).json()}
    assert shown["own-1"]["is_own"] and not shown["gpt-4o"]["is_own"]
    assert date.fromisoformat(shown["gpt-4o"]["as_of"]) and shown["gpt-4o"]["source"].startswith("https://")
    page = f"/w/{workspace.pk}/settings/models/prices/"
    ours = browser(people.maintainer)
    assert "own-1" in ours.get(page).content.decode()
    form = {"model": "own-2", "input_usd_per_mtok": "0", "output_usd_per_mtok": "0"}
    assert ours.post(page, form).status_code == 302
    assert ours.post(page, {**form, "output_usd_per_mtok": "-1"}).status_code == 422
    assert ours.post(f"{page}delete/", {"model": "own-2"}).status_code == 302
    assert maintainer("delete", f"{path}?model=own-1").status_code == 204
    assert maintainer("delete", f"{path}?model=own-1").status_code == 404
    assert browser(people.member).get(page).status_code == 403
    assert caller(people.member)("put", path, line).status_code == 403
    assert caller(people.stranger)("get", path).status_code == 404
