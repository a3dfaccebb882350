"""What the leader says and what the rows say, joined and cut to what one person may see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from tests.webapp.fleet.conftest import gpu, node, state, waits, works
from webapp.agents.models import Run
from webapp.fleet import access
from webapp.fleet.picture import LISTED, Picture, draw

pytestmark = pytest.mark.django_db


def see(sight, told, *, now=None) -> Picture:
    rows = Run.objects.select_related("workspace", "requested_by").order_by("created_at")
    return draw(told, rows, sight=sight, now=now or timezone.now())


@pytest.fixture
def whole(people):
    return access.whole_fleet(people.boss)


@pytest.fixture
def part(people, workspace):
    return access.fleet_of(people.member, workspace.pk)


def test_waits_in_the_leaders_order_with_what_the_leader_does_not_know_behind(whole, workspace, make_run):
    unknown, first, second = make_run(workspace), make_run(workspace), make_run(workspace, priority="low")
    told = state(waiting=[waits(second, effective_priority="high"), waits(first)])
    lines = see(whole, told).waiting
    assert [line.run_id for line in lines] == [str(run.pk) for run in (second, first, unknown)]
    assert [line.effective_priority for line in lines] == ["high", "", ""]
    assert lines[0].why == "All slots are taken."
    assert "rung for again" in lines[2].why
    assert lines[2].since == unknown.created_at


def test_rows_are_right_where_the_leader_is_late(whole, workspace, make_run):
    ended, held = make_run(workspace, "finished"), make_run(workspace, "suspended", suspend_reason="person")
    told = state(waiting=[waits(held)], running=[works(ended)], nodes=[node(busy=1)])
    picture = see(whole, told)
    assert (picture.waiting, picture.running) == ([], [])
    assert [line.why for line in picture.suspended] == ["A person suspended it."]
    # The slot is taken all the same, until the leader says otherwise.
    assert (picture.nodes[0].lines, picture.nodes[0].others, picture.nodes[0].free) == ([], 1, 1)


def test_an_older_attempt_of_a_run_is_not_taken_for_the_present_one(whole, workspace, make_run):
    run = make_run(workspace, "running", fence=3, worker="beta:9", tokens_per_s=4.0)
    line = see(whole, state(running=[works(run, fence=2)])).running[0]
    assert (line.node, line.worker, line.tokens_per_s) == ("", "beta:9", 4.0)
    assert "does not list it" in line.why


def test_what_is_handed_over_stands_first_and_has_its_slot(whole, workspace, make_run):
    waiting, admitted = make_run(workspace), make_run(workspace)
    told = state(waiting=[waits(waiting)], running=[works(admitted, state="admitted")], nodes=[node(busy=1)])
    picture = see(whole, told)
    assert [line.run_id for line in picture.waiting] == [str(admitted.pk), str(waiting.pk)]
    assert "Handed to a worker" in picture.waiting[0].why
    assert [line.run_id for line in picture.nodes[0].lines] == [str(admitted.pk)]


def test_what_is_handed_over_has_no_node_before_a_worker_took_it(whole, workspace, make_run):
    waiting, admitted = make_run(workspace), make_run(workspace)
    told = state(waiting=[waits(waiting)], running=[works(admitted, state="admitted", node="")])
    picture = see(whole, told)
    assert [line.run_id for line in picture.waiting] == [str(admitted.pk), str(waiting.pk)]
    assert (picture.waiting[0].node, picture.nodes[0].lines) == ("", [])


def test_a_run_at_work_has_its_node_model_speed_and_since_when(whole, workspace, make_run):
    run = make_run(workspace, "running", started_at=timezone.now() - timedelta(hours=1))
    told = state(running=[works(run, since=1_700_000_000.0)], nodes=[node(busy=1, devices=[gpu()])])
    picture = see(whole, told)
    (line,) = picture.running
    assert (line.node, line.model, line.tokens_per_s) == ("alpha", "m (embedded)", 21.5)
    assert line.since == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (picture.slots, picture.busy, picture.free_mb) == (2, 1, 30_720)
    assert (picture.nodes[0].host, picture.nodes[0].pid) == ("alpha.example.org", 4711)


def test_says_when_nobody_leads_and_when_the_leader_is_quiet(whole, workspace, make_run):
    make_run(workspace)
    nobody = see(whole, None)
    assert (nobody.is_heard, nobody.nodes, nobody.waiting[0].why) == (False, [], "")
    told = state(nodes=[node()])
    assert see(whole, told).is_heard
    later = timezone.now() + timedelta(seconds=12)
    quiet = see(whole, told, now=later)
    assert not quiet.is_heard
    assert quiet.nodes[0].is_quiet


def test_a_member_sees_their_own_by_name_and_others_as_places(part, workspace, elsewhere, make_run):
    mine = make_run(workspace, agent="tidy", goal="mine")
    theirs = make_run(elsewhere, priority="high", agent="coder")
    at_work = make_run(elsewhere, "running")
    held = make_run(elsewhere, "suspended", suspend_reason="person")
    told = state(
        waiting=[waits(theirs, reason="secret of theirs"), waits(mine)],
        running=[works(at_work)],
        nodes=[node(busy=1, devices=[gpu()])],
    )
    picture = see(part, told)
    other, own = picture.waiting
    assert (other.run_id, other.agent, other.workspace, other.why, other.since) == ("", "", "", "", None)
    assert other.priority == "high"
    assert (own.agent, own.why) == ("tidy", "All slots are taken.")
    assert (picture.running, picture.suspended, picture.others_running) == ([], [], 1)
    (shown,) = picture.nodes
    assert (shown.name, shown.host, shown.pid) == ("Node 1", "", None)
    assert [line.run_id for line in shown.lines] == [""]
    assert shown.devices[0].name == "GPU"
    for secret in (
        "canary",
        "alpha",
        "secret",
        str(theirs.pk),
        str(held.pk),
        elsewhere.name,
        "H100",
        "pid=4711",
    ):
        assert secret not in repr(picture), secret


def test_limits_of_models_are_told_to_the_owner_alone(whole, part):
    limits = {"k": {"model": "openai/gpt", "running": 2, "concurrency": 2, "tokens_per_minute": None}}
    told = state(limits=limits)
    (line,) = see(whole, told).limits
    assert (line.model, line.running, line.concurrency, line.tokens_per_minute) == ("openai/gpt", 2, 2, None)
    assert see(part, told).limits == []


def test_the_owner_of_the_installation_reads_nobodys_goals(whole, people, workspace, make_run):
    run = make_run(workspace)
    line = see(whole, state(waiting=[waits(run)])).waiting[0]
    assert (line.agent, line.workspace, line.goal, line.caller) == ("coder", workspace.name, "", "")
    assert line.may_hold and not line.is_member
    workspace.memberships.create(user=people.boss, role="viewer")
    line = see(access.whole_fleet(people.boss), state(waiting=[waits(run)])).waiting[0]
    assert (line.goal, line.caller) == ("canary-9d1c", "Member")


@pytest.mark.parametrize(
    ("who", "may"), [("member", True), ("maintainer", True), ("owner", True), ("viewer", False)]
)
def test_only_the_caller_and_maintainers_may_hold_a_run(people, workspace, make_run, who, may):
    make_run(workspace, "suspended", suspend_reason="person")
    (line,) = see(access.fleet_of(getattr(people, who), workspace.pk), state()).suspended
    assert (line.may_hold, line.may_resume) == (may, may)


def test_what_waits_for_others_is_resumed_by_nobody(whole, workspace, make_run):
    make_run(workspace, "suspended", suspend_reason="children")
    (line,) = see(whole, state()).suspended
    assert (line.may_hold, line.may_resume) == (True, False)


def test_a_large_fleet_is_drawn_up_to_a_bound(whole, workspace, make_run):
    runs = [make_run(workspace) for _ in range(LISTED + 5)]
    told = state(waiting=[waits(run) for run in runs], nodes=[node(slots=640, busy=321)])
    picture = see(whole, told)
    assert (len(picture.listed), picture.unlisted) == (LISTED, 5)
    shown = picture.nodes[0]
    assert (shown.is_crowded, shown.slots_a_tile) == (True, 10)
    assert (len(shown.lines), shown.others, len(shown.drawn_free)) == (0, 33, 31)
