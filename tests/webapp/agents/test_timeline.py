"""Runs over time: what is drawn where, what each kind cost, and the pages on which it stands."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from webapp.agents import timeline
from webapp.agents.models import Run, Step
from webapp.agents.selectors import RunFilter, run_rows
from webapp.errors import Invalid

BEGIN = datetime(2026, 11, 1, 12, tzinfo=UTC)


def step(step_id: str, at_s: float, took_ms: int | None, *, parent: str = "", **fields) -> Step:
    plain = {"kind": "tool_call", "title": step_id, "status": "ok" if took_ms is not None else "running"}
    return Step(
        step_id=step_id,
        parent_id=parent,
        started_at=BEGIN + timedelta(seconds=at_s),
        duration_ms=took_ms,
        seq=int(at_s * 1000),
        **plain | fields,
    )


def drawn(steps: list[Step], *, now_s: float = 100) -> timeline.Timeline:
    run = Run(id=uuid.uuid4(), agent="coder")
    return timeline.draw([run], {run.pk: steps}, now=BEGIN + timedelta(seconds=now_s))


def test_bars_stand_where_their_steps_ran_and_below_their_parents():
    (lane,) = drawn([step("s1", 0, 10_000), step("s2", 2, 3_000, parent="s1"), step("s3", 5, 5_000)]).lanes
    one, two, three = lane.bars
    assert (one.x, one.width) == (0, timeline.WIDTH)
    assert (two.x, two.width) == (200, 300)
    assert two.y == one.y + timeline.LANE_HEIGHT
    assert three.y == one.y
    assert lane.height == 3 * timeline.LANE_HEIGHT


def test_a_step_that_goes_on_reaches_until_now():
    (lane,) = drawn([step("s1", 0, 1_000), step("s2", 1, None)], now_s=10).lanes
    assert lane.bars[1].x + lane.bars[1].width == timeline.WIDTH


def test_steps_too_short_to_be_told_apart_share_a_bar_that_counts_them():
    many = [step(f"s{n}", n / 1000, 0) for n in range(2_000)] + [step("end", 100, 1_000, status="failed")]
    (lane,) = drawn(many).lanes
    assert len(lane.bars) < 400
    assert sum(bar.count for bar in lane.bars) == 2_001
    assert lane.bars[-1].status == "failed"
    assert "steps, from" in lane.bars[0].words


def test_a_shared_bar_shows_the_worst_of_them():
    (lane,) = drawn([step("a", 0, 0), step("b", 0, 0, status="failed"), step("c", 50, 1_000)]).lanes
    assert (lane.bars[0].count, lane.bars[0].status) == (2, "failed")


def test_depth_ends_somewhere_and_a_circle_of_parents_does_no_harm():
    deep = [step(f"s{n}", n, 1_000, parent=f"s{n - 1}") for n in range(30)]
    round = [step("a", 40, 1_000, parent="b"), step("b", 41, 1_000, parent="a")]
    (lane,) = drawn(deep + round).lanes
    assert lane.height == (timeline.MAX_DEPTH + 2) * timeline.LANE_HEIGHT


@pytest.mark.parametrize("total_s", [0.01, 0.5, 1, 7, 61, 600, 7_200, 86_400])
def test_moments_stand_at_round_numbers_and_are_not_too_many(total_s):
    ticks = drawn([step("s1", 0, int(total_s * 1000))]).ticks
    assert 1 <= len(ticks) <= timeline.TICKS + 1
    assert all(0 <= x <= timeline.WIDTH for x, _ in ticks)
    assert len({words for _, words in ticks}) == len(ticks)


def test_nothing_is_drawn_of_nothing():
    assert drawn([]).lanes == []


def test_an_unknown_price_makes_the_sum_unknown_and_steps_without_tokens_cost_nothing():
    found = timeline.costs(
        [
            step("a", 0, 3_000, kind="model_call", input_tokens=10, output_tokens=5, cost_usd=0.25),
            step("b", 3, 1_000, kind="model_call", input_tokens=1, output_tokens=1, cost_usd=0.5),
            step("c", 4, 500, kind="command"),
            step("d", 5, 500, kind="audit", input_tokens=1, cost_usd=None),
        ]
    )
    by_kind = {cost.kind: cost for cost in found}
    assert found[0].kind == "model_call"
    assert (by_kind["model_call"].cost_usd, by_kind["model_call"].input_tokens) == (0.75, 11)
    assert by_kind["command"].cost_usd == 0
    assert by_kind["audit"].cost_usd is None
    assert by_kind["model_call"].share == 0.8


@pytest.mark.django_db(transaction=True)
def test_pages_show_the_run_and_what_it_called(worker, people, browser, workspace):
    worker.step("s1", "model_call", input_tokens=7, output_tokens=3)
    worker.step("s2", "delegation", parent="s1")
    child = Run.objects.create(
        workspace=workspace,
        agent="tester",
        goal="<b>test</b>",
        parent=worker.run,
        parent_step="s2",
        status="finished",
    )
    Step.objects.create(
        run=child,
        step_id="s1",
        kind="thought",
        title="<i>in</i>",
        started_at=worker.run.created_at,
        seq=1,
        duration_ms=4,
    )
    base = f"/w/{workspace.pk}/runs/{worker.run.pk}/"
    page = browser(people.viewer).get(f"{base}timeline/").content.decode()
    assert "@tester" in page
    assert f"/w/{workspace.pk}/runs/{child.pk}/steps/s1/" in page
    assert "<i>in" not in page
    assert 'style="' not in page
    log = browser(people.viewer).get(f"{base}log/").content.decode()
    assert "Step s1" in log
    assert "7 + 3" in log
    assert browser(people.viewer).get(f"{base}log/?after=zero").status_code == 422
    for name in ("timeline", "log"):
        assert browser(people.stranger).get(f"{base}{name}/").status_code == 404
        assert browser(None).get(f"{base}{name}/").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_the_list_is_narrowed_by_agent_person_origin_and_priority(workspace, people, browser):
    def made(**fields) -> Run:
        plain = {"workspace": workspace, "agent": "coder", "goal": "g", "requested_by": people.member}
        return Run.objects.create(**plain | fields)

    usual, tidy = made(), made(agent="tidy", priority="low")
    nightly = made(origin="schedule", requested_by=people.owner)

    def seen(**asked) -> set[uuid.UUID]:
        return {row.pk for row in run_rows(workspace.pk, RunFilter(**asked)).runs}

    assert seen() == {usual.pk, tidy.pk, nightly.pk}
    assert seen(agent="tidy") == seen(priority="low") == {tidy.pk}
    assert seen(origin="schedule") == seen(requested_by=people.owner.pk) == {nightly.pk}
    assert seen(agent="coder", origin="person") == {usual.pk}
    with pytest.raises(Invalid):
        seen(origin="elsewhere")
    with pytest.raises(Invalid):
        seen(priority="now")
    member = browser(people.member)
    page = member.get(f"/w/{workspace.pk}/runs/?agent=tidy&priority=low").content.decode()
    assert f"run-{tidy.pk}" in page
    assert f"run-{usual.pk}" not in page
    assert member.get(f"/w/{workspace.pk}/runs/?by=me").status_code == 422
    found = member.get(f"/api/v1/workspaces/{workspace.pk}/runs?origin=schedule&by={people.owner.pk}").json()
    assert [run["id"] for run in found["runs"]] == [str(nightly.pk)]
