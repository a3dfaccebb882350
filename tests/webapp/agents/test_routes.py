from __future__ import annotations

import pytest

from tests.webapp.agents.conftest import Engine
from tests.webapp.agents.test_api import caller
from tests.webapp.agents.test_credentials import ask
from webapp import vault
from webapp.agents import choosing, routes, services
from webapp.agents.models import ModelProfile
from webapp.errors import Invalid

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def models(workspace, people, elsewhere):
    """Profiles with keys: two of the workspace, one of everybody, one of a person, one of another workspace."""

    def make(name, **owner):
        key = vault.seal(f"sk-{name}-0123456789")
        fields = {"provider": "openai", "model": name, "base_url": "https://api.openai.com/v1"}
        return ModelProfile.objects.create(name=name, sealed_key=key, **fields, **owner)

    return {
        "one": make("one", workspace=workspace),
        "two": make("two", workspace=workspace),
        "shared": make("shared"),
        "private": make("private", user=people.stranger),
        "foreign": make("foreign", workspace=elsewhere),
    }


def start(workspace, person, **more):
    return services.start_run(workspace=workspace, requested_by=person, agent="coder", goal="x", **more)


def ids(models, *names):
    return [models[name].pk for name in names]


def test_a_run_begins_with_the_first_and_may_go_on_with_the_rest(workspace, people, models, rung):
    routes.set_route(workspace=workspace, agent="coder", profile_ids=ids(models, "two", "one", "shared"))
    run = start(workspace, people.member)
    assert run.model_profile == models["two"]
    job = rung()[0]
    assert [one["model"]["model"] for one in job["fallbacks"]] == ["one", "shared"]
    assert job["fallbacks"][0]["credential_ref"] == choosing.credential_ref(models["one"])
    assert "sk-one" not in str(job)


def test_the_list_for_all_holds_for_agents_without_their_own(workspace, people, models):
    routes.set_route(workspace=workspace, agent="", profile_ids=ids(models, "shared"))
    assert start(workspace, people.member).model_profile == models["shared"]
    routes.set_route(workspace=workspace, agent="coder", profile_ids=ids(models, "one"))
    assert start(workspace, people.member).model_profile == models["one"]
    routes.set_route(workspace=workspace, agent="coder", profile_ids=[])
    assert start(workspace, people.member).model_profile == models["shared"]


def test_a_persons_own_default_comes_first_and_the_list_behind_it(workspace, people, models, rung):
    own = ModelProfile.objects.create(
        user=people.member, name="own", provider="ollama", model="own", is_default=True
    )
    routes.set_route(workspace=workspace, agent="coder", profile_ids=ids(models, "one"))
    assert start(workspace, people.member).model_profile == own
    assert [one["model"]["model"] for one in rung()[0]["fallbacks"]] == ["one"]


def test_an_agent_without_a_model_has_nothing_to_go_on_with(workspace, people, models, rung):
    routes.set_route(workspace=workspace, agent="", profile_ids=ids(models, "one"))
    services.start_run(workspace=workspace, requested_by=people.member, agent="tidy", goal="")
    assert rung()[0]["fallbacks"] == []


@pytest.mark.parametrize("name", ["private", "foreign"])
def test_a_list_names_nobody_elses_model(workspace, models, name):
    with pytest.raises(Invalid, match="of this workspace or of the installation"):
        routes.set_route(workspace=workspace, agent="coder", profile_ids=ids(models, "one", name))
    assert all(not route.profiles for route in routes.routes_of(workspace))


@pytest.mark.parametrize("agent", ["tidy", "nobody"])
def test_a_list_is_for_an_agent_that_needs_a_model(workspace, models, agent):
    with pytest.raises(Invalid):
        routes.set_route(workspace=workspace, agent=agent, profile_ids=ids(models, "one"))


def test_refuses_a_model_twice(workspace, models):
    with pytest.raises(Invalid):
        routes.set_route(workspace=workspace, agent="", profile_ids=ids(models, "one", "one"))


def test_hands_out_the_keys_of_this_runs_models_and_of_no_other(workspace, people, models):
    routes.set_route(workspace=workspace, agent="coder", profile_ids=ids(models, "one", "shared"))
    run = start(workspace, people.member)
    Engine(run).start()
    refs = {name: choosing.credential_ref(profile) for name, profile in models.items()}
    assert ask(run, credential_ref=refs["one"]).json() == {"secret": "sk-one-0123456789"}
    assert ask(run, credential_ref=refs["shared"]).json() == {"secret": "sk-shared-0123456789"}
    for foreign in ("two", "private", "foreign"):
        assert ask(run, credential_ref=refs[foreign]).status_code == 404


def test_hands_out_no_key_that_was_typed_for_another_address(workspace, people, models):
    routes.set_route(workspace=workspace, agent="coder", profile_ids=ids(models, "one", "two"))
    run = start(workspace, people.member)
    Engine(run).start()
    refs = [choosing.credential_ref(models[name]) for name in ("one", "two")]
    ModelProfile.objects.filter(workspace=workspace).update(base_url="https://elsewhere.example.org/v1")
    assert [ask(run, credential_ref=ref).status_code for ref in refs] == [404, 404]


def test_over_rest(workspace, people, models):
    path = f"/workspaces/{workspace.pk}/agent-models"
    chosen = ids(models, "two", "shared")
    call = caller(people.maintainer)
    assert call("put", path, {"agent": "coder", "models": chosen}).status_code == 200
    shown = call("get", path).json()
    assert {"agent": "coder", "models": chosen} in shown and {"agent": "", "models": []} in shown
    assert call("put", path, {"agent": "coder", "models": ids(models, "foreign")}).status_code == 422
    assert caller(people.member)("put", path, {"agent": "", "models": []}).status_code == 403
    assert caller(people.stranger)("get", path).status_code == 404


def test_on_its_page(workspace, people, models, browser):
    path = f"/w/{workspace.pk}/settings/models/agents/"
    maintainer = browser(people.maintainer)
    assert "@coder" in maintainer.get(path).content.decode()
    form = {"agent": "coder", "model_0": models["one"].pk, "model_1": models["shared"].pk}
    assert maintainer.post(path, form).status_code == 302
    assert [profile.name for profile in choosing.route_of(workspace, "coder")] == ["one", "shared"]
    reply = maintainer.post(path, {**form, "model_1": models["one"].pk})
    assert reply.status_code == 422 and "each once" in reply.content.decode()
    assert maintainer.post(path, {**form, "model_1": models["foreign"].pk}).status_code == 422
    assert browser(people.member).get(path).status_code == 403
    assert browser(people.stranger).get(path).status_code == 404
    assert browser(None).get(path).status_code == 302
