"""The fleet's pages: who sees what, what they say, and what is done from them."""

from __future__ import annotations

import re

import orjson
import pytest
from django.urls import reverse

from tests.webapp.fleet.conftest import gpu, node, waits, works
from webapp.agents.models import Run, Step
from webapp.events.registry import periodic_functions
from webapp.fleet.models import Share
from webapp.workspaces.models import Membership
from workers.events import DEAD_KEY
from workers.queue.fleet import SHARES_KEY

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"Accept": "application/json"}
PIECE = {"HX-Request": "true"}
ACTIONS = ("suspend", "resume", "cancel", "priority", "retry", "dismiss")


def page(client, name="fleet", *args, **headers):
    reply = client.get(reverse(name, args=args), headers=headers)
    assert reply.status_code == 200
    return reply.content.decode()


def words(html):
    """Return what a person reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# --- who sees it -----------------------------------------------------------------------------------------------------


def test_the_whole_fleet_is_the_owners(people, browser):
    assert browser(people.boss).get("/fleet/").status_code == 200
    for who in (people.owner, people.member, people.stranger):
        assert browser(who).get("/fleet/").status_code == 404
    assert browser(None).get("/fleet/").status_code == 302


def test_a_workspace_sees_its_part_of_it(people, workspace, browser):
    address = reverse("workspace_fleet", args=[workspace.pk])
    for who in (people.viewer, people.member, people.owner):
        assert browser(who).get(address).status_code == 200
    for who in (people.stranger, people.boss):
        assert browser(who).get(address).status_code == 404
    assert browser(None).get(address).status_code == 302


def test_nothing_of_another_workspace_and_no_machine_stands_on_a_workspaces_page(
    people, workspace, elsewhere, browser, leader, make_run
):
    mine = make_run(workspace, agent="tidy", goal="mine")
    theirs, at_work = make_run(elsewhere, priority="high"), make_run(elsewhere, "running")
    given_up = make_run(elsewhere, "dead", error_message="canary-cause")
    leader(
        waiting=[waits(theirs), waits(mine)],
        running=[works(at_work, node="secret-host.example.org")],
        nodes=[node("secret-host", busy=1)],
    )
    html = page(browser(people.owner), "workspace_fleet", workspace.pk)
    body = html.partition('id="fleet-body"')[2]
    for secret in ("canary", "secret-host", elsewhere.name, "set aside", "Shares"):
        assert secret not in body, secret
    for hidden in (theirs, at_work, given_up):
        assert str(hidden.pk) not in body
    assert words(body).count("another workspace's run") == 2
    assert "@tidy mine" in words(body)


def test_the_owner_sees_machines_and_runs_but_not_what_people_wrote(
    people, workspace, browser, leader, make_run
):
    run = make_run(workspace, "running")
    Step.objects.create(
        run=run, step_id="s", kind="thought", title="canary-step", started_at=run.created_at, seq=1
    )
    make_run(workspace, "dead", error_message="Its worker was lost 3 times.")
    leader(
        running=[works(run)],
        nodes=[node(busy=1, devices=[gpu(reserved_mb=1024)], queues=["cpu", "gpu"])],
        limits={"k": {"model": "openai/gpt", "running": 1, "concurrency": 4}},
    )
    html = page(browser(people.boss))
    assert "canary" not in html
    text = words(html)
    for told in ("alpha", "1 of 2 taken", "21.5 tokens/s", "m (embedded)", workspace.name, "lost 3 times"):
        assert told in text, told
    assert "H100 0: 30.0 GB of 80.0 GB free, 1.0 GB promised" in text
    assert "openai/gpt 1 of 4 0" in text
    assert "no GPU here" not in text
    assert reverse("run", args=[workspace.pk, run.pk]) not in html


# --- what it says ----------------------------------------------------------------------------------------------------


def test_says_that_nobody_leads_and_shows_the_rows_all_the_same(people, workspace, browser, make_run):
    run = make_run(workspace)
    text = words(page(browser(people.boss)))
    assert "The fleet's leader is not heard; what is queued stays queued" in text
    assert "See manage.py doctor" in text
    page_of_member = page(browser(people.member), "workspace_fleet", workspace.pk)
    assert "Whoever runs this server sees why" in page_of_member
    assert f'id="fleet-run-{run.pk}"' in page_of_member


def test_says_it_without_redis_too(people, workspace, browser, make_run, redis_server):
    make_run(workspace)
    client = browser(people.boss)
    redis_server.kill()
    try:
        reply = client.get("/fleet/")
    finally:
        redis_server.start()
    assert reply.status_code == 200
    assert "is not heard" in reply.content.decode()


def test_says_nothing_of_a_leader_that_speaks_and_that_there_is_no_gpu(people, workspace, browser, leader):
    leader()
    html = page(browser(people.boss))
    assert "fleet-away" not in html
    assert "no GPU here" in html
    assert words(html).count("free") >= 2


def test_a_script_asks_for_the_body_alone(people, workspace, browser, leader):
    leader()
    for name, args in (("fleet", ()), ("workspace_fleet", (workspace.pk,))):
        piece = page(browser(people.boss if not args else people.viewer), name, *args, **PIECE)
        assert piece.lstrip().startswith('<div id="fleet-body"')
        assert "<html" not in piece


def test_offers_each_what_they_may(people, workspace, browser, leader, make_run):
    held = make_run(workspace, "suspended", suspend_reason="person")
    make_run(workspace, "dead")
    leader()
    viewer = page(browser(people.viewer), "workspace_fleet", workspace.pk)
    assert "<form" not in viewer.partition('id="fleet-body"')[2]
    member = page(browser(people.member), "workspace_fleet", workspace.pk)
    assert f"/w/{workspace.pk}/runs/{held.pk}/resume/" in member
    assert 'value="critical"' not in member
    assert "Try again" in member and "Dismiss" in member
    assert 'value="critical"' in page(browser(people.maintainer), "workspace_fleet", workspace.pk)


def test_escapes_what_runs_are_called(people, workspace, browser, leader, make_run):
    make_run(workspace, goal="<script>alert(1)</script>", error_message="<b>x</b>", status="dead")
    make_run(workspace, goal="<img src=x>")
    html = page(browser(people.member), "workspace_fleet", workspace.pk)
    assert "<img src=x>" not in html and "<script>alert" not in html and "<b>x" not in html


def test_asks_the_database_no_more_for_many_runs_than_for_few(
    people, workspace, browser, leader, make_run, django_assert_max_num_queries
):
    client = browser(people.member)
    for status in ("queued", "running", "suspended", "dead"):
        for _ in range(20):
            make_run(workspace, status)
    page(client, "workspace_fleet", workspace.pk)
    with django_assert_max_num_queries(12):
        page(client, "workspace_fleet", workspace.pk, **PIECE)


def test_shows_the_owner_what_the_relay_set_aside(people, browser, redis_client):
    event = {"type": "StepStarted", "run_id": "1234", "secret": "canary"}
    redis_client.xadd(DEAD_KEY, {"event": orjson.dumps(event), "problem": "RuntimeError: <b>no</b>"})
    redis_client.xadd(DEAD_KEY, {"event": b"\xff[", "problem": "malformed"})
    html = page(browser(people.boss))
    assert "StepStarted" in html and "1234" in html and "unreadable" in html
    assert "RuntimeError: &lt;b&gt;no" in html
    assert "canary" not in html


# --- what is done from it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_but_the_owner_of_the_installation_opens_its_doors(
    people, workspace, browser, make_run, action
):
    run = make_run(workspace)
    address = reverse(f"fleet_{action}", args=[run.pk])
    for who, status in ((people.owner, 404), (people.member, 404), (people.stranger, 404), (None, 302)):
        assert browser(who).post(address, {"priority": "low"}).status_code == status
    run.refresh_from_db()
    assert (run.status, run.priority) == ("queued", "standard")
    missing = reverse(f"fleet_{action}", args=["12345678-1234-4123-8123-123456789abc"])
    assert browser(people.boss).post(missing).status_code == 404


def test_the_owner_holds_any_run_and_makes_it_critical(people, workspace, browser, make_run):
    run, client = make_run(workspace), browser(people.boss)

    def do(action, **data):
        reply = client.post(reverse(f"fleet_{action}", args=[run.pk]), data, headers=JSON)
        assert reply.status_code == 200, reply.content
        run.refresh_from_db()
        return run.status

    assert do("suspend") == "suspended"
    assert do("resume") == "queued"
    do("priority", priority="critical")
    assert run.priority == "critical"
    assert do("cancel") == "cancelled"
    assert "Stopped by Boss" in run.error_message
    reply = client.post(reverse("fleet_cancel", args=[run.pk]), headers=JSON)
    assert reply.status_code == 409


def test_without_scripts_a_form_leads_back_to_the_fleet(people, workspace, browser, make_run):
    reply = browser(people.boss).post(reverse("fleet_suspend", args=[make_run(workspace).pk]))
    assert (reply.status_code, reply["Location"]) == (302, "/fleet/")


def test_what_was_given_up_is_tried_again_in_its_callers_name(people, workspace, browser, make_run):
    run, client = make_run(workspace, "dead", agent="tidy"), browser(people.boss)
    address = reverse("fleet_retry", args=[run.pk])
    assert client.post(address, headers=JSON).status_code == 200
    again = Run.objects.get(retry_of=run)
    assert (again.requested_by, again.status) == (people.member, "queued")
    assert f'id="given-up-{run.pk}"' not in page(client)
    other = make_run(workspace, "dead", agent="tidy")
    Membership.objects.filter(workspace=workspace, user=people.member).update(role="viewer")
    refused = client.post(reverse("fleet_retry", args=[other.pk]), headers=JSON)
    assert refused.status_code == 409
    assert "may call none there" in refused.json()["error"]["message"]
    assert f'id="given-up-{other.pk}"' in page(client)
    client.post(reverse("fleet_dismiss", args=[other.pk]))
    assert f'id="given-up-{other.pk}"' not in page(client)


# --- shares ----------------------------------------------------------------------------------------------------------


def test_the_owner_shares_the_fleet_out(people, workspace, browser, redis_client):
    client, address = browser(people.boss), reverse("set_share")
    assert client.post(address, {"workspace_id": workspace.pk, "weight": "2.5"}).status_code == 302
    share = Share.objects.get(workspace=workspace)
    assert (share.weight, share.set_by) == (2.5, people.boss)
    assert redis_client.hgetall(SHARES_KEY) == {str(workspace.pk).encode(): b"2.5"}
    assert 'value="2.5"' in page(client)
    assert "2.5 1 is usual" in words(page(browser(people.viewer), "workspace_fleet", workspace.pk))
    for weight in ("0", "-1", "nan", "inf", "1e9", "much", ""):
        refused = client.post(address, {"workspace_id": workspace.pk, "weight": weight})
        assert refused.status_code == 422, weight
    for absent in ("0", "999999", "9" * 30):
        assert client.post(address, {"workspace_id": absent, "weight": "1"}).status_code == 404
    share.refresh_from_db()
    assert share.weight == 2.5


def test_nobody_else_shares_it_out(people, workspace, browser):
    for who, status in ((people.owner, 404), (people.stranger, 404), (None, 302)):
        reply = browser(who).post(reverse("set_share"), {"workspace_id": workspace.pk, "weight": "9"})
        assert reply.status_code == status
    assert not Share.objects.exists()


def test_the_fleet_is_told_again_after_redis_was_emptied(people, workspace, redis_client):
    Share.objects.create(workspace=workspace, weight=3)
    redis_client.flushall()
    (again,) = [one for one in periodic_functions() if one.name.endswith("tell_shares_again")]
    assert again.every_s <= 15
    again.function()
    assert redis_client.hgetall(SHARES_KEY) == {str(workspace.pk).encode(): b"3.0"}
