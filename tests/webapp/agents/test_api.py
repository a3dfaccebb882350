from __future__ import annotations

import json

import pytest
from django.test import Client

from tests.framework.provider_double import ProviderDouble
from tests.webapp.agents.conftest import DOUBLE_KEY
from webapp.accounts.models import SCOPES
from webapp.accounts.services import create_api_key
from webapp.agents.models import ModelProfile
from workers import events as engine
from workers.agents.registry import AGENTS

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "sk-canary-4f1d2c3b5a697887"


def caller(user, *scopes, workspace=None):
    row, key = create_api_key(user=user, name="test", scopes=scopes or SCOPES)
    row.workspace = workspace  # also one that the person has left since
    row.save()
    client = Client(headers={"Authorization": f"Bearer {key}"})

    def call(method, path, body=None):
        data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return getattr(client, method)(f"/api/v1{path}", **data)

    return call


def test_starts_reads_stops_and_retries_a_run(workspace, people, rung):
    call, base = caller(people.member), f"/workspaces/{workspace.pk}"
    assert [agent["name"] for agent in call("get", f"{base}/agents").json()] == sorted(AGENTS)
    started = call("post", f"{base}/runs", {"agent": "tidy", "goal": "tidy up", "budget": {"seconds": 60}})
    assert started.status_code == 201, started.content
    run = started.json()
    assert rung()[0]["budget"]["seconds"] == 60
    assert call("get", f"{base}/runs/{run['id']}").json()["goal"] == "tidy up"
    assert call("post", f"{base}/runs/{run['id']}/cancel").json()["status"] == "cancelled"
    again = call("post", f"{base}/runs/{run['id']}/retry")
    assert again.status_code == 201
    assert again.json()["retry_of"] == run["id"]
    listed = call("get", f"{base}/runs?limit=1").json()
    assert listed["runs"][0]["id"] == again.json()["id"]
    older = call("get", f"{base}/runs?limit=1&cursor={listed['next_cursor'].replace('+', '%2B')}").json()
    assert [one["id"] for one in older["runs"]] == [run["id"]]
    assert older["next_cursor"] is None


def test_reads_steps_with_their_detail(worker, people):
    worker.step("s1", "command", detail={"output": "42 passed"})
    call, base = caller(people.viewer, "read"), f"/workspaces/{worker.run.workspace_id}/runs/{worker.run.pk}"
    assert call("get", f"{base}/steps").json()["steps"][0]["id"] == "s1"
    assert call("get", f"{base}/steps/s1").json()["detail"]["output"] == "42 passed"
    assert call("get", f"{base}/steps/s2").status_code == 404


def test_hides_runs_from_everybody_outside(run, people, elsewhere):
    base = f"/workspaces/{run.workspace_id}/runs/{run.pk}"
    bound = caller(people.member, workspace=elsewhere)
    for call in (caller(people.stranger), caller(people.boss), bound):
        for method, path in (
            ("get", ""),
            ("get", "/steps"),
            ("get", "/steps/s1"),
            ("post", "/cancel"),
            ("post", "/retry"),
        ):
            assert call(method, base + path).status_code == 404
        assert (
            call("post", f"/workspaces/{run.workspace_id}/runs", {"agent": "tidy", "goal": "x"}).status_code
            == 404
        )
    assert Client().get(f"/api/v1{base}").status_code == 401


def test_wants_the_scope_and_the_role(run, people):
    base = f"/workspaces/{run.workspace_id}/runs"
    assert caller(people.member, "read")("post", base, {"agent": "tidy", "goal": "x"}).status_code == 403
    assert caller(people.viewer)("post", base, {"agent": "tidy", "goal": "x"}).status_code == 403
    assert caller(people.member, "run")("get", f"{base}/{run.pk}").status_code == 403
    assert caller(people.member, "read")("post", f"{base}/{run.pk}/cancel").status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"agent": "nobody", "goal": "x"},
        {"agent": "coder", "goal": ""},
        {"agent": "tidy", "goal": "x" * 20_001},
        {"agent": "tidy", "goal": "x", "priority": "urgent"},
        {"agent": "tidy", "goal": "x", "budget": {"steps": 0}},
        {"agent": "tidy\x00", "goal": "x"},
        {},
    ],
)
def test_refuses_what_makes_no_sense(workspace, people, body):
    assert caller(people.member)("post", f"/workspaces/{workspace.pk}/runs", body).status_code == 422


def test_refuses_another_persons_model(workspace, people):
    foreign = ModelProfile.objects.create(user=people.stranger, name="x", provider="ollama", model="m")
    body = {"agent": "coder", "goal": "x", "model_id": foreign.pk}
    assert caller(people.member)("post", f"/workspaces/{workspace.pk}/runs", body).status_code == 404


def test_answers_odd_questions_without_breaking(workspace, people):
    call = caller(people.member)
    for path in (
        "/runs?cursor=x",
        "/runs?agent=%00",
        "/runs?limit=0",
        "/runs?status=no",
        "/runs?cursor=2026-01-01T00:00:00~00000000-0000-0000-0000-000000000000",
        "/runs?cursor=9999-12-31T23:59:59-23:59~00000000-0000-0000-0000-000000000000",
    ):
        assert call("get", f"/workspaces/{workspace.pk}{path}").status_code in (200, 422), path
    assert call("get", f"/workspaces/{2**70}/runs").status_code == 404
    assert call("get", f"/models/{2**70}").status_code == 404


def test_keeps_models_and_never_gives_a_key_back(people, workspace):
    call = caller(people.member)
    made = call(
        "post",
        "/models",
        {"name": "Own", "provider": "openai", "model": "gpt", "key": CANARY, "is_default": True},
    )
    assert made.status_code == 201, made.content
    model = made.json()
    assert (model["has_key"], model["owner"], model["is_default"]) == (True, "person", True)
    changed = call("put", f"/models/{model['id']}", {"name": "Renamed", "provider": "openai", "model": "gpt"})
    assert (changed.json()["name"], changed.json()["has_key"]) == ("Renamed", True)
    own = {
        "name": "Renamed",
        "provider": "openai",
        "model": "gpt",
        "first_token_s": 7,
        "between_tokens_s": None,
    }
    timed = call("put", f"/models/{model['id']}", own).json()
    assert (timed["first_token_s"], timed["between_tokens_s"]) == (7, None)
    assert call("put", f"/models/{model['id']}", own | {"first_token_s": 0}).status_code == 422
    replies = [made, changed, call("get", "/models"), call("get", f"/models/{model['id']}")]
    assert all(CANARY not in reply.content.decode() for reply in replies)
    assert call("delete", f"/models/{model['id']}").status_code == 204
    assert call("get", f"/models/{model['id']}").status_code == 404


def test_a_bound_key_of_the_owner_leads_no_model_to_the_private_network(people, workspace):
    person = people.owner
    person.is_installation_owner = True
    person.save()
    body = {"name": "near", "provider": "openai", "base_url": "http://127.0.0.1:11434/v1", "model": "m"}
    body |= {"owner": "workspace", "workspace_id": workspace.pk}
    assert caller(person, workspace=workspace)("post", "/models", body).status_code == 422
    assert caller(person)("post", "/models", body).status_code == 201


def test_shows_no_key_in_an_error(people):
    reply = caller(people.member)(
        "post", "/models", {"name": "", "provider": "nobody", "model": 1, "key": CANARY}
    )
    assert reply.status_code == 422
    assert CANARY not in reply.content.decode()


def test_lets_only_the_owner_of_a_model_touch_it(people, workspace):
    own = ModelProfile.objects.create(user=people.member, name="own", provider="ollama", model="m")
    shared = ModelProfile.objects.create(workspace=workspace, name="shared", provider="ollama", model="m")
    general = ModelProfile.objects.create(name="general", provider="ollama", model="m")
    body = {"name": "mine now", "provider": "ollama", "model": "m"}
    for profile, others in (
        (own, (people.boss, people.owner, people.stranger)),
        (shared, (people.member, people.boss, people.stranger)),
        (general, (people.owner, people.member)),
    ):
        for other in others:
            call = caller(other)
            for method, path in (("get", ""), ("put", ""), ("delete", ""), ("post", "/test")):
                assert (
                    call(method, f"/models/{profile.pk}{path}", body if method == "put" else None).status_code
                    == 404
                )
    assert caller(people.maintainer)("put", f"/models/{shared.pk}", body).status_code == 200
    assert caller(people.boss)("put", f"/models/{general.pk}", body).status_code == 200
    assert caller(people.member, workspace=workspace)("get", f"/models/{own.pk}").status_code == 404


def test_lists_the_models_that_a_person_may_use(people, workspace, elsewhere):
    ModelProfile.objects.create(user=people.member, name="own", provider="ollama", model="m")
    ModelProfile.objects.create(workspace=workspace, name="shared", provider="ollama", model="m")
    ModelProfile.objects.create(name="general", provider="ollama", model="m")
    ModelProfile.objects.create(user=people.stranger, name="theirs", provider="ollama", model="m")
    call = caller(people.member)
    assert {one["name"] for one in call("get", "/models").json()} == {"own", "general"}
    assert {one["name"] for one in call("get", f"/models?workspace_id={workspace.pk}").json()} == {
        "own",
        "shared",
        "general",
    }
    assert call("get", f"/models?workspace_id={elsewhere.pk}").status_code == 404


def test_says_how_a_model_answered(people, double: ProviderDouble):
    double.say("OK")
    made = {
        "owner": "installation",
        "name": "d",
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
    }
    call = caller(people.boss)
    model = call("post", "/models", {**made, "key": DOUBLE_KEY}).json()
    assert "answered in" in call("post", f"/models/{model['id']}/test").json()["text"]
    double.key = "another"
    reply = call("post", f"/models/{model['id']}/test")
    assert reply.status_code == 422
    assert reply.json()["error"]["code"] == "provider_auth_failed"


def test_describes_every_answer_it_gives(people):
    schema = Client().get("/api/v1/openapi.json").json()
    for path, methods in schema["paths"].items():
        if "/runs" in path or "/models" in path or "/agents" in path:
            for method, operation in methods.items():
                codes = set(operation["responses"])
                assert {"401", "403", "404", "422"} <= codes, (path, method)
                assert operation["summary"], (path, method)


def test_ends_well(worker, people):
    worker.say(engine.RunFinished, answer="All tests pass.")
    reply = caller(people.member)(
        "post", f"/workspaces/{worker.run.workspace_id}/runs/{worker.run.pk}/cancel"
    )
    assert reply.status_code == 409
