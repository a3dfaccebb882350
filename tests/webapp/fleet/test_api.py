"""The fleet over REST, and its figures for Prometheus."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.webapp.agents.test_api import caller
from tests.webapp.fleet.conftest import gpu, node, waits, works
from webapp.agents.models import Run

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_member_reads_their_part(people, workspace, elsewhere, leader, make_run):
    mine, theirs, at_work = make_run(workspace), make_run(elsewhere), make_run(elsewhere, "running")
    leader(waiting=[waits(theirs), waits(mine)], running=[works(at_work)], nodes=[node(busy=1)])
    reply = caller(people.viewer, "read")("get", f"/workspaces/{workspace.pk}/fleet")
    told = reply.json()
    assert (told["is_heard"], told["slots"], told["busy"], told["others_running"]) == (True, 2, 1, 1)
    assert [one["run_id"] for one in told["waiting"]] == ["", str(mine.pk)]
    assert told["waiting"][1]["why"] == "All slots are taken."
    assert told["nodes"][0]["name"] == "Node 1"
    for secret in (str(theirs.pk), str(at_work.pk), "alpha", elsewhere.name):
        assert secret not in reply.content.decode()
    for stranger in (people.stranger, people.boss):
        assert caller(stranger)("get", f"/workspaces/{workspace.pk}/fleet").status_code == 404
    assert Client().get(f"/api/v1/workspaces/{workspace.pk}/fleet").status_code == 401


def test_the_owner_of_the_installation_reads_all_of_it(people, workspace, leader, make_run):
    run = make_run(workspace, "running")
    leader(running=[works(run)], nodes=[node(busy=1, devices=[gpu()])])
    told = caller(people.boss, "admin")("get", "/fleet").json()
    assert told["nodes"][0]["devices"][0]["free_mb"] == 30_720
    assert [one["run_id"] for one in told["running"]] == [str(run.pk)]
    assert told["running"][0]["goal"] == ""


def test_the_owner_does_the_same_over_rest_as_on_the_page(people, workspace, make_run):
    call, run = caller(people.boss, "admin"), make_run(workspace, agent="tidy")
    base = f"/fleet/runs/{run.pk}"
    assert call("post", f"{base}/suspend").json() == {
        "run_id": str(run.pk),
        "status": "suspended",
        "priority": "standard",
    }
    assert call("post", f"{base}/resume").json()["status"] == "queued"
    assert call("put", f"{base}/priority", {"priority": "critical"}).json()["priority"] == "critical"
    assert call("post", f"{base}/cancel").json()["status"] == "cancelled"
    assert call("post", f"{base}/suspend").status_code == 409
    assert call("get", "/fleet/given-up").json() == []
    Run.objects.filter(pk=run.pk).update(status="dead", error_message="Its worker was lost.")
    (given_up,) = call("get", "/fleet/given-up").json()
    assert (given_up["run_id"], given_up["cause"]) == (str(run.pk), "Its worker was lost.")
    assert "canary" not in repr(given_up)
    assert call("post", f"{base}/dismiss").status_code == 204
    assert call("post", f"{base}/retry").status_code == 201
    assert call("get", "/fleet/given-up").json() == []
    assert call("get", "/fleet/set-aside").json() == []


def test_shares_over_rest(people, workspace, elsewhere):
    call = caller(people.boss, "admin")
    body = {"workspace_id": workspace.pk, "weight": 4}
    assert call("put", "/fleet/shares", body).json()["weight"] == 4
    weights = {one["workspace_id"]: one["weight"] for one in call("get", "/fleet/shares").json()}
    assert weights == {workspace.pk: 4.0, elsewhere.pk: 1.0}
    assert call("put", "/fleet/shares", body | {"weight": 0}).status_code == 422
    assert call("put", "/fleet/shares", body | {"workspace_id": 999_999}).status_code == 404


def test_is_the_owners_alone(people, workspace, make_run):
    run = make_run(workspace)
    asked = [
        ("get", path, None) for path in ("/fleet", "/fleet/shares", "/fleet/given-up", "/fleet/set-aside")
    ]
    asked.append(("put", "/fleet/shares", {"workspace_id": workspace.pk, "weight": 2}))
    asked += [("post", f"/fleet/runs/{run.pk}/{what}", None) for what in ("suspend", "cancel", "retry")]
    bound = caller(people.boss, workspace=workspace)
    for method, path, body in asked:
        for call in (caller(people.owner), caller(people.stranger), bound):
            assert call(method, path, body).status_code == 404, path
        assert caller(people.boss, "read", "run")(method, path, body).status_code == 403, path


def test_prometheus_reads_the_fleet(people, workspace, browser, leader, make_run):
    high, low = make_run(workspace, priority="high"), make_run(workspace, priority="low")
    make_run(workspace, "suspended", suspend_reason="approval")
    make_run(workspace, "dead")
    client = browser(people.boss)
    text = client.get("/metrics").content.decode()
    assert "pyagent_fleet_leader_up 0.0" in text
    assert 'pyagent_fleet_waiting{priority="high"} 1.0' in text
    assert 'pyagent_fleet_suspended{reason="approval"} 1.0' in text
    assert "pyagent_fleet_given_up 1.0" in text
    assert "pyagent_fleet_slots{" not in text
    told = [waits(high), waits(low, effective_priority="high")]
    leader(waiting=told, nodes=[node(busy=1, devices=[gpu()])])
    text = client.get("/metrics").content.decode()
    assert "pyagent_fleet_leader_up 1.0" in text
    assert 'pyagent_fleet_slots{node="alpha"} 2.0' in text
    assert 'pyagent_fleet_slots_busy{node="alpha"} 1.0' in text
    assert 'pyagent_fleet_waiting_effective{priority="high"} 2.0' in text
    assert 'pyagent_fleet_device_free_bytes{index="0",node="alpha"}' in text
